package commands

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// ctr runs one command line with an environment of its own.
func ctr(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	s := &stdio{
		in: strings.NewReader(""), out: &out, err: &errs,
		getenv: func(name string) string { return env[name] },
	}
	code = run(context.Background(), append([]string{"ctr"}, args...), s)
	return code, out.String(), errs.String()
}

// probe is a command that has a flag of every kind and shows what it was given.
type probe struct {
	rate   int
	topic  string
	loop   bool
	names  []string
	cross  [][]string
	l2     *float64
	config string
	ran    bool
	files  []string
}

func (p *probe) command() *cli.Command {
	p.topic, p.rate = "cte_queue", 1000
	return &cli.Command{
		Name: "probe", Args: true, UsageText: "ctr probe",
		Flags: group("All",
			wholeFlag(&p.rate, 0, "rate", "rows a second"),
			stringFlag(&p.topic, "topic", "a topic"),
			boolFlag(&p.loop, "loop", "again and again"),
			listFlag(&p.names, "include", "columns"),
			crossFlag(&p.cross, "cross", "columns"),
			optionalFloatFlag(&p.l2, 0, 1e308, "l2", "a weight"),
			stringFlag(&p.config, "config", "a file"),
		),
		Action: func(c *cli.Context) error {
			p.ran, p.files = true, c.Args().Slice()
			return nil
		},
	}
}

// runProbe runs the probe command; other stands beside it in config files.
func runProbe(env map[string]string, args ...string) (*probe, error) {
	p := &probe{}
	c := p.command()
	other := &cli.Command{Name: "other", Flags: group("All", stringFlag(new(string), "listen", "an address"))}
	s := &stdio{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(n string) string { return env[n] }}
	return p, dispatchCommand(context.Background(), c, []*cli.Command{c, other}, args, s)
}

func TestFlagsBeforeAndAfterFiles(t *testing.T) {
	f := func(args ...string) {
		t.Helper()
		p, err := runProbe(nil, args...)
		if err != nil || p.rate != 100 || !p.loop || strings.Join(p.files, " ") != "a.csv b.csv" {
			t.Errorf("%q: rate %d, loop %v, files %q, error %v", args, p.rate, p.loop, p.files, err)
		}
	}
	f("--rate", "100", "--loop", "a.csv", "b.csv")
	f("a.csv", "b.csv", "--rate", "100", "--loop")
	f("a.csv", "--rate=100", "b.csv", "--loop")
	f("a.csv", "-loop", "-rate", "100", "--", "b.csv")
	f("--loop=true", "a.csv", "--rate=100", "b.csv")
}

func TestFilesThatLookLikeSomethingElse(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		p, err := runProbe(nil, strings.Fields(args)...)
		if err != nil || strings.Join(p.files, " ") != want || p.loop {
			t.Errorf("%q: files %q, loop %v, error %v, want files %q", args, p.files, p.loop, err, want)
		}
	}
	f("-", "-")
	f("-- --loop", "--loop")
	f("help", "help") // urfave/cli would show its help
	f("rate --rate 5", "rate")
	f("-- -h", "-h")
}

func TestWrongFlags(t *testing.T) {
	f := func(args, msg, hint string) {
		t.Helper()
		p, err := runProbe(nil, strings.Fields(args)...)
		var usage *usageError
		if !errors.As(err, &usage) || usage.msg != msg || usage.hint != hint || p.ran {
			t.Errorf("%q: error %v, ran %v; want %q, hint %q", args, err, p.ran, msg, hint)
		}
	}
	f("--rat 5", "--rat: no such flag of ctr probe", "did you mean --rate?")
	f("--tpoic=x", "--tpoic: no such flag of ctr probe", "did you mean --topic?")
	f("a.csv --xyzzy", "--xyzzy: no such flag of ctr probe", "ctr help probe lists the flags")
	f("--rate", "--rate: want a value", "ctr help probe")
	f("--rate abc", `--rate "abc": want a whole number from 0`, "")
	f("--rate -1", `--rate "-1": want a whole number from 0`, "")
	f("--loop=maybe", `--loop "maybe": want true or false`, "")
	f("--l2 NaN", `--l2 "NaN": want a number from 0`, "")
	f("--cross site_id", `--cross "site_id": want two or more columns, such as site_id,app_id`, "")
	f("--include a,,b", `--include "a,,b": want names separated by commas`, "")
}

// TestPrecedence: flag > environment > file > default.
func TestPrecedence(t *testing.T) {
	path := writeConfig(t, "rate: 3\nprobe:\n  topic: own\ntopic: top\n")
	env := map[string]string{"CTR_RATE": "2"}
	f := func(env map[string]string, want int, topic string, args ...string) {
		t.Helper()
		p, err := runProbe(env, args...)
		if err != nil || p.rate != want || p.topic != topic {
			t.Errorf("%q with %v: rate %d, topic %s, error %v, want %d, %s", args, env, p.rate, p.topic, err, want, topic)
		}
	}
	f(nil, 1000, "cte_queue")
	f(nil, 3, "own", "--config", path)
	f(env, 2, "own", "--config", path)
	f(env, 1, "own", "--config", path, "--rate", "1")
	f(map[string]string{"CTR_CONFIG": path}, 3, "own")
	f(map[string]string{"CTR_RATE": ""}, 1000, "cte_queue")
}

// TestListsReplace: a list given in one place replaces that of the places
// below it; given twice in one place, it grows.
func TestListsReplace(t *testing.T) {
	path := writeConfig(t, "include: [C14, C15]\ncross:\n  - site_id,app_id\n  - C14,C17\nprobe: {l2: 0.5}\n")
	f := func(want string, args ...string) {
		t.Helper()
		p, err := runProbe(map[string]string{"CTR_CROSS": "a,b c,d"}, append(args, "--config", path)...)
		if got := strings.Join(p.names, " "); err != nil || got != want {
			t.Errorf("%q: include %q, error %v, want %q", args, got, err, want)
		}
		if len(p.cross) != 2 || p.cross[1][1] != "d" {
			t.Errorf("cross %v, want that of the environment", p.cross)
		}
		if p.l2 == nil || *p.l2 != 0.5 {
			t.Errorf("l2 %v, want 0.5", p.l2)
		}
	}
	f("C14 C15")
	f("x y z", "--include", "x,y", "--include", "z")
}

func TestWrongSettings(t *testing.T) {
	f := func(config, env, want, hint string) {
		t.Helper()
		path := writeConfig(t, config)
		p, err := runProbe(map[string]string{"CTR_RATE": env}, "--config", path)
		var usage *usageError
		if !errors.As(err, &usage) || strings.ReplaceAll(usage.msg, path, "ctr.yaml") != want || usage.hint != hint || p.ran {
			t.Errorf("%q: error %v, ran %v, want %q, hint %q", config, err, p.ran, want, hint)
		}
	}
	f("", "x", `CTR_RATE "x": want a whole number from 0`, "")
	f("topic: a\nrate: x\n", "", `ctr.yaml:2: rate "x": want a whole number from 0`, "")
	f("topic: a\n\nraet: 1\n", "", `ctr.yaml:3: key "raet": no such flag`, "did you mean rate?")
	f("other:\n  rate: 1\n", "", `ctr.yaml:2: key "rate": no such flag of ctr other`, "ctr help config")
	f("listen: here\nconfig: other.yaml\n", "", `ctr.yaml:2: key "config": no such flag`, "ctr help config")
	f("rate: 1\nrate: 2\n", "", `ctr.yaml:2: key "rate": given twice`, "")
	f("rate:\n", "", `ctr.yaml:1: key "rate": want a value or a list of values`, "")
	f("rate: {a: 1}\n", "", `ctr.yaml:1: key "rate": want a value or a list of values`, "")
	f("probe: 7\n", "", `ctr.yaml:1: want keys with values, such as "threads: 4"`, "")
	f("- rate\n", "", `ctr.yaml:1: want keys with values, such as "threads: 4"`, "")
	f("rate: [1\n", "", `ctr.yaml: line 1: did not find expected ',' or ']'`, "")
}

func TestEmptyConfig(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n"} {
		if p, err := runProbe(nil, "--config", writeConfig(t, text)); err != nil || !p.ran {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := runProbe(nil, "--config", "none.yaml"); err == nil || err.Error() != "none.yaml: no such file" {
		t.Errorf("a config file that does not exist: %v", err)
	}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := t.TempDir() + "/ctr.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCompletionNeverRunsACommand(t *testing.T) {
	f := func(want string, words ...string) {
		t.Helper()
		code, out, errs := ctr(t, nil, append(words, "--generate-bash-completion")...)
		if code != 0 || errs != "" || !strings.Contains(out, want) || strings.Contains(out, "linux/") {
			t.Errorf("%q: code %d, out %q, err %q, want %q", words, code, out, errs, want)
		}
	}
	f("--json\n", "version", "--") // with the stock script, this runs the command
	f("--json\n", "version", "--j")
	f("--json\n", "version")
	f("version\n", "ver")
	f("version\n")
}

func TestUsageGoesToStderr(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		code, out, errs := ctr(t, nil, strings.Fields(args)...)
		if code != exitUsage || out != "" || errs != want {
			t.Errorf("%q: code %d, out %q, err %q, want %q", args, code, out, errs, want)
		}
	}
	f("versoin", "ctr: versoin: no such command\nctr: hint: did you mean ctr version?\n")
	f("xyzzy", "ctr: xyzzy: no such command\nctr: hint: ctr help lists the commands\n")
	f("help xyzzy", "ctr: xyzzy: no such command\nctr: hint: ctr help lists the commands\n")
	f("--json version", "ctr: --json: want a command first\nctr: hint: flags follow the command: ctr train --json\n")
	f("version now", "ctr: now: ctr version takes flags only\nctr: hint: ctr help version\n")
	f("version --jsn", "ctr: --jsn: no such flag of ctr version\nctr: hint: did you mean --json?\n")
}

// TestNames: the keys of a config file would be ambiguous if a flag had the
// name of a command; each flag has one meaning everywhere it appears.
func TestNames(t *testing.T) {
	all := allCommands(&stdio{getenv: func(string) string { return "" }})
	kinds := map[string]bool{}
	for _, c := range all {
		if c.UsageText == "" || c.Usage == "" {
			t.Errorf("ctr %s: want examples and a line of help", c.Name)
		}
		seen := map[string]bool{}
		for _, f := range c.Flags {
			name := flagName(f)
			if findCommand(all, name) != nil {
				t.Errorf("ctr %s: --%s is the name of a command", c.Name, name)
			}
			if seen[name] {
				t.Errorf("ctr %s: --%s twice", c.Name, name)
			}
			seen[name] = true
			if was, ok := kinds[name]; ok && was != isBool(f) {
				t.Errorf("ctr %s: --%s takes a value in one command and none in another", c.Name, name)
			}
			kinds[name] = isBool(f)
		}
		for _, name := range []string{"config", "quiet", "json"} {
			if !seen[name] {
				t.Errorf("ctr %s: want --%s", c.Name, name)
			}
		}
	}
}

// failing is a writer on a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestLostResultsAreAnError(t *testing.T) {
	var errs bytes.Buffer
	s := &stdio{out: failing{}, err: &errs, getenv: func(string) string { return "" }}
	code := run(context.Background(), []string{"ctr", "version"}, s)
	if want := "ctr: standard output: no space left on device\n"; code != exitFailed || errs.String() != want {
		t.Errorf("code %d, %q, want 1, %q", code, errs.String(), want)
	}
}

func TestSignals(t *testing.T) {
	signals := make(chan os.Signal, 2)
	signals <- os.Interrupt
	code := untilSecond(signals, func(ctx context.Context) int {
		<-ctx.Done()
		return exitInterrupted
	})
	if code != exitInterrupted {
		t.Errorf("first signal: code %d, want %d", code, exitInterrupted)
	}

	forever := make(chan struct{})
	defer close(forever)
	signals <- os.Interrupt
	signals <- syscall.SIGTERM
	began := time.Now()
	code = untilSecond(signals, func(context.Context) int { <-forever; return 0 })
	if code != exitInterrupted || time.Since(began) > 5*time.Second {
		t.Errorf("second signal: code %d after %v, want %d at once", code, time.Since(began), exitInterrupted)
	}
}

// TestInterrupted: an error counts as an interruption only where there was one.
func TestInterrupted(t *testing.T) {
	f := func(ctx context.Context, wantCode int, wantText string) {
		t.Helper()
		var errs bytes.Buffer
		in := &patientReader{ctx: ctx, r: strings.NewReader("")}
		s := &stdio{in: in, out: io.Discard, err: &errs, getenv: func(string) string { return "" }}
		code := run(ctx, []string{"ctr", "train", "-"}, s)
		if code != wantCode || errs.String() != wantText {
			t.Errorf("code %d, %q, want %d, %q", code, errs.String(), wantCode, wantText)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	f(cancelled, exitInterrupted, "ctr: interrupted\n")
	f(t.Context(), exitFailed, "ctr: stdin: empty file: want rows\n")
}

func TestIsTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(file) || isTerminal(io.Discard) {
		t.Error("a file, a writer: want no terminal")
	}
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	defer pty.Close()
	if !isTerminal(pty) {
		t.Error("a pseudo-terminal: want a terminal")
	}
}
