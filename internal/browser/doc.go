// Package browser holds no code, only a test: that a page in a real browser may
// read an object of a new bucket at another origin once the function cors has
// handled the bucket's creation, and not before; and that a bucket with rules of
// its own keeps them. Run it with make browser.
//
//	page at one origin ──fetch──▶ object of a bucket at another
//	   headless Chromium             versitygw, an S3 that enforces CORS
//
// The emulators of package emulator let every page read every object, whatever a
// bucket's configuration says. versitygw does so where the configuration allows
// the page's origin: https://github.com/versity/versitygw. It is built from the
// module in the folder s3.
package browser
