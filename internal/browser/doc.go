// Package browser holds no code, only a test: that a page in a real browser may
// read an object of a new bucket at another origin once the function cors has
// handled the bucket's creation, and not before; and that a bucket with rules of
// its own keeps them. Run it with make browser.
//
//	page at one origin ──fetch──▶ object of a bucket at another
//	   headless Chromium             versitygw, an S3 that enforces CORS
//
// The emulators of package emulator take CORS configurations and answer with
// Access-Control-Allow-Origin: * whatever these say. versitygw sends it where a
// bucket's configuration allows the origin, and is built from the module in the
// folder s3: https://github.com/versity/versitygw
package browser
