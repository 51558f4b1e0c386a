//go:build !unix

package sparkjob

import (
	"os"
	"os/exec"
)

func group(*exec.Cmd) {}

func terminate(p *os.Process) error { return p.Kill() }

// kill has nothing to do: the program ends by itself when ctr or the JVM has.
func kill(*os.Process) {}
