package emulator

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listening are the TCP addresses on which the processes of a group listen.
// https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
func listening(group int) ([]netip.AddrPort, error) {
	sockets, err := groupSockets(group)
	if err != nil {
		return nil, err
	}
	var found []netip.AddrPort
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			return nil, fmt.Errorf("listing sockets: %w", err)
		}
		for line := range strings.Lines(string(data)) {
			const listens = "0A"
			column := strings.Fields(line)
			if len(column) < 10 || column[3] != listens || !sockets[column[9]] {
				continue
			}
			at, err := address(column[1])
			if err != nil {
				return nil, err
			}
			found = append(found, at)
		}
	}
	return found, nil
}

// groupSockets are the inodes of the sockets of a group's processes.
func groupSockets(group int) (map[string]bool, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return nil, errors.New("listing sockets: no processes in /proc")
	}
	sockets := map[string]bool{}
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		// The name, in brackets, may hold anything; behind it are state, parent, group.
		column := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(column) < 3 || column[2] != strconv.Itoa(group) {
			continue
		}
		// One that has ended meanwhile has none.
		open, _ := filepath.Glob(filepath.Join(filepath.Dir(stat), "fd", "*"))
		for _, fd := range open {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
				sockets[strings.Trim(to[len("socket:"):], "[]")] = true
			}
		}
	}
	return sockets, nil
}

// address reads 0100007F:1F90: words of four bytes as the machine keeps them.
func address(text string) (netip.AddrPort, error) {
	ip, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(ip)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("listing sockets: %q is no address", text)
	}
	for word := range slices.Chunk(raw, 4) {
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	at, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("listing sockets: %q is no address", text)
	}
	return netip.AddrPortFrom(at, uint16(n)), nil
}
