//go:build unix

package sparkjob

import (
	"os"
	"os/exec"
	"syscall"
)

// group gives cmd a process group of its own: spark-submit, the JVM and Python
// are stopped together, and by ctr alone, not by a Ctrl-C on the terminal too.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate asks the group of p to end. Spark then tells the master.
func terminate(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGTERM) }

// kill ends what is left of the group of p.
func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) } // nothing is left, mostly
