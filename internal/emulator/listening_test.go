package emulator

import (
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
)

func TestListening(t *testing.T) {
	t.Parallel()
	var want []netip.AddrPort
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", host)
		if err != nil {
			t.Logf("%s: %v", host, err) // a machine without IPv6
			continue
		}
		defer l.Close()
		want = append(want, l.Addr().(*net.TCPAddr).AddrPort())
	}
	got, err := listening(syscall.Getpgrp())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range want {
		if !slices.Contains(got, at) {
			t.Errorf("%v is missing among %v", at, got)
		}
	}
	if none, err := listening(1 << 30); err != nil || len(none) > 0 {
		t.Errorf("a group that isn't there listens on %v, %v", none, err)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	if at, err := address("00000000:1F90"); err != nil || at.Addr().IsLoopback() || at.Port() != 8080 {
		t.Errorf("every interface is %v, %v", at, err)
	}
	for _, bad := range []string{"", "0100007F", "zz:1F90", "01:1F90"} {
		if at, err := address(bad); err == nil {
			t.Errorf("%q is %v", bad, at)
		}
	}
}
