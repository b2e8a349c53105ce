// Package integration holds what the tests of the whole program share: an
// account in the emulator, the kinds of resources that can be created there,
// and a run of the functions with nothing but their own permissions.
//
// Resources are created and their tags read back with plain HTTP, through
// their own services' APIs, so that a mistake in the program can't hide in its
// own mirror.
//
// One more kind is one more entry of toldKinds: how to create one, and what its
// event has to say; with one of reads, where the service's tags are not read yet.
// A kind that takes more than two calls, or more than one resource, has code in
// [Kinds]. The event's form is that of the project's samples.
package integration
