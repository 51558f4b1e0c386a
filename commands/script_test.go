package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"

	"ctr/features/race"
	"ctr/pipeline/broker"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ctr": func() { os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// raceOptions keep a program with the race detector in it from sleeping for a
// second before it exits, as it does to catch what other threads still do.
const raceOptions = "atexit_sleep_ms=0"

// update says that expected output is to be rewritten: UPDATE=1 go test.
var update = os.Getenv("UPDATE") != ""

// TestScripts runs testdata/script/*.txtar: one file for each way to use ctr
// and one for each kind of bad input. Besides testscript's own commands they
// have
//
//	exits CODE ctr ARGS…     the program must end with this exit code
//	port NAME                sets $NAME to a free TCP port
//	sparse FILE BYTES        makes a file of zero bytes that takes no space
//	bytes FILE TEXT          makes a file of TEXT, with Go's escapes: 'a\x00\n'
//	damage FILE OFFSET       changes one byte; a negative offset is from the end
//	cutfile FILE BYTES       keeps the first bytes; a negative number drops the last
//	lines N FILE             the file must have so many lines
//	waitlines N FILE         waits until the file has so many lines
//	broker NAME              starts an embedded broker; $NAME is its address
//	strictbroker NAME        the same, but it makes no topics by itself
//	saslbroker NAME USER PASSWORD  the same, with SCRAM-SHA-256
//	waitbroker ADDRESS       waits until something listens there
//	waitstatus URL TEXT      waits until the URL's answer is 200 and has the text
//	post URL TYPE FILE ANSWER [AUTHORIZATION]  sends a file; the answer must be 200, negated not
//	same N FILE FILE         both must have N ids, each with one probability
//
// and the condition [shared] for the real rows of CTR_SHARED.
func TestScripts(t *testing.T) {
	shared := sharedDir()
	columnar, err := filepath.Abs("../features/columnar/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("SHARED", shared)
			e.Setenv("COLUMNAR", columnar)
			e.Setenv("GORACE", raceOptions)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "shared":
				return exists(filepath.Join(shared, "data", "avazu-34h.csv")), nil
			case "race":
				return race.Enabled, nil
			case "root":
				return os.Getuid() == 0, nil
			case "devfull":
				return exists("/dev/full"), nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   cmdExits,
			"port":    cmdPort,
			"sparse":  cmdSparse,
			"bytes":   cmdBytes,
			"damage":  cmdDamage,
			"cutfile": cmdCutFile,
			"lines":   cmdLines,

			"waitlines":    cmdWaitLines,
			"broker":       cmdBroker,
			"strictbroker": cmdStrictBroker,
			"saslbroker":   cmdSASLBroker,
			"waitbroker":   cmdWaitBroker,
			"waitstatus":   cmdWaitStatus,
			"same":         cmdSame,
			"post":         cmdPost,
		},
	})
}

// sharedDir gives the directory of real rows: CTR_SHARED, or shared beside
// the repository.
func sharedDir() string {
	if dir := os.Getenv("CTR_SHARED"); dir != "" {
		return dir
	}
	dir, err := filepath.Abs("../../shared")
	if err != nil {
		return ""
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s %s: exit code %d, want %s", args[1], args[2], code, args[0])
	}
}

func cmdPort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

func cmdSparse(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(f.Truncate(number(ts, args[1])))
	ts.Check(f.Close())
}

func cmdBytes(ts *testscript.TestScript, _ bool, args []string) {
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func cmdDamage(ts *testscript.TestScript, _ bool, args []string) {
	data, at := fileAt(ts, args)
	data[at] ^= 0x55
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func cmdCutFile(ts *testscript.TestScript, _ bool, args []string) {
	data, at := fileAt(ts, args)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data[:at], 0o600))
}

// fileAt reads a file and an offset into it.
func fileAt(ts *testscript.TestScript, args []string) (data []byte, at int64) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if at = number(ts, args[1]); at < 0 {
		at += int64(len(data))
	}
	return data, at
}

func cmdLines(ts *testscript.TestScript, _ bool, args []string) {
	if n, want := lineCount(ts, args[1]), number(ts, args[0]); n != want {
		ts.Fatalf("%s: %d lines, want %d", args[1], n, want)
	}
}

func lineCount(ts *testscript.TestScript, name string) int64 {
	text, err := os.ReadFile(ts.MkAbs(name))
	if !errors.Is(err, os.ErrNotExist) {
		ts.Check(err)
	}
	return int64(bytes.Count(text, []byte("\n")))
}

// wait waits until done, at most 30 seconds.
func wait(ts *testscript.TestScript, what string, done func() bool) {
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited 30 s for %s", what)
		}
	}
}

func cmdWaitLines(ts *testscript.TestScript, _ bool, args []string) {
	want := number(ts, args[0])
	wait(ts, args[0]+" lines in "+args[1], func() bool { return lineCount(ts, args[1]) >= want })
}

func cmdBroker(ts *testscript.TestScript, _ bool, args []string) {
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	ts.Check(err)
	ts.Defer(func() { ts.Check(b.Close()) })
	ts.Setenv(args[0], b.Addr())
}

func cmdStrictBroker(ts *testscript.TestScript, _ bool, args []string) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	ts.Check(err)
	ts.Defer(c.Close)
	ts.Setenv(args[0], c.ListenAddrs()[0])
}

func cmdSASLBroker(ts *testscript.TestScript, _ bool, args []string) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", args[1], args[2]))
	ts.Check(err)
	ts.Defer(c.Close)
	ts.Setenv(args[0], c.ListenAddrs()[0])
}

func cmdWaitBroker(ts *testscript.TestScript, _ bool, args []string) {
	wait(ts, args[0], func() bool {
		c, err := net.Dial("tcp", args[0])
		return err == nil && c.Close() == nil
	})
}

func cmdWaitStatus(ts *testscript.TestScript, _ bool, args []string) {
	wait(ts, args[0]+" with "+args[1], func() bool {
		r, err := http.Get(args[0])
		if err != nil {
			return false
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		return err == nil && r.StatusCode == http.StatusOK && bytes.Contains(text, []byte(args[1]))
	})
}

func cmdSame(ts *testscript.TestScript, _ bool, args []string) {
	a, err := probabilities(ts.MkAbs(args[1]))
	ts.Check(err)
	b, err := probabilities(ts.MkAbs(args[2]))
	ts.Check(err)
	if want := number(ts, args[0]); int64(len(a)) != want || int64(len(b)) != want {
		ts.Fatalf("%d and %d ids, want %d", len(a), len(b), want)
	}
	for id, p := range a {
		if b[id] != p {
			ts.Fatalf("id %s: %s in %s, %s in %s", id, p, args[1], b[id], args[2])
		}
	}
}

func number(ts *testscript.TestScript, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	ts.Check(err)
	return n
}
