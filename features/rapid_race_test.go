//go:build race

package features

import "flag"

// Random cases are what the plain tests are for; a fifth of them is enough to
// see goroutines at work. -rapid.checks on the command line counts all the same.
func init() {
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
}
