package pipeline

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// LockedError says that another process is writing a file.
type LockedError struct {
	Path string
	// PID is the process; 0 where it is not known.
	PID int
}

// Error gives "PATH: process PID is writing it".
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return e.Path + ": another process is writing it"
	}
	return fmt.Sprintf("%s: process %d is writing it", e.Path, e.PID)
}

// Hint gives one line of advice.
func (e *LockedError) Hint() string {
	return "give each process an --output of its own, or stop the other one first"
}

// lockName is the file beside path that is locked and holds the number of the
// process that locked it. It is removed when the lock is given up; one that a
// killed process left behind locks nothing.
func lockName(path string) string { return path + ".lock" }

// lockHolder reads the process number from a lock file, 0 where it has none.
func lockHolder(f *os.File) int {
	var buf [32]byte
	n, _ := f.ReadAt(buf[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// signLock writes this process's number into a lock file.
func signLock(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
