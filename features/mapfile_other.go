//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package features

import "os"

// mapFile reads a file whole where it can't be mapped.
func mapFile(path string) (data []byte, unmap func() error, err error) {
	data, err = os.ReadFile(path)
	return data, func() error { return nil }, err
}
