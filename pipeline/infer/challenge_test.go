package infer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// withID gives aRow with another id and a label.
func withID(i int) string {
	return strings.Replace(aRow, `"r1"`, fmt.Sprintf(`"r%d","bought":%d`, i, i%2), 1)
}

func TestChallengeOptions(t *testing.T) {
	t.Parallel()
	r := registry(t, nil, model(t, "lr"), model(t, "dt"))
	f := func(c Challenge, want string) {
		t.Helper()
		_, err := Listen(Options{Listen: "127.0.0.1:0", Registry: r, Challenge: &c})
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(Challenge{Name: "x"}, "challenger x: no such model")
	f(Challenge{Name: "lr"}, "challenger lr: is the first model itself")
	f(Challenge{Name: "dt", Share: 1.5}, "challenger's share 1.5: want 0..1")
}

// A share of the requests without a name is the challenger's, the same ids
// always by the same model, and each row is told to the Observer once.
func TestShare(t *testing.T) {
	t.Parallel()
	seen := &watcher{}
	s := serve(t, Options{Challenge: &Challenge{Name: "dt", Share: 0.3}, Observer: seen}, model(t, "lr"), model(t, "dt"))
	const n = 600
	by := map[string]int{}
	for range 2 {
		for i := range n {
			a := s.post("/v1/score", jsonKind, withID(i))
			named := s.post("/v1/models/"+a.Get("Ctr-Model")+"/score", jsonKind, withID(i))
			if a.code != 200 || a.body != named.body {
				t.Fatalf("%s\nby name %s", a.body, named.body)
			}
			by[fmt.Sprint(i)+a.Get("Ctr-Model")]++
			by[a.Get("Ctr-Model")]++
		}
	}
	for i := range n {
		if by[fmt.Sprint(i)+"dt"] == 1 {
			t.Errorf("id r%d: two models", i)
		}
	}
	if got := by["dt"]; got < 2*n*20/100 || got > 2*n*40/100 {
		t.Errorf("%d of %d by the challenger, want about 30 %%", got, 2*n)
	}
	c := get[Comparison](s, "/v1/challenge")
	if c.By["champion"].Rows != by["lr"] || c.By["challenger"].Rows != by["dt"] || c.By["challenger"].Labelled != by["dt"] || c.Share != 0.3 || c.Rows != 0 || c.Failed != 0 {
		t.Errorf("%+v, answered %d and %d", c, by["lr"], by["dt"])
	}
	if seen.of("lr")+seen.of("dt") != 4*n {
		t.Errorf("told of %d rows, want %d", seen.of("lr")+seen.of("dt"), 4*n)
	}
}

// A challenger that can't answer what the champion can fails nobody's request.
func TestChallengerThatNeedsMore(t *testing.T) {
	t.Parallel()
	for _, shadow := range []bool{false, true} {
		c := &Challenge{Name: "lr", Shadow: shadow}
		if !shadow {
			c.Share = 1
		}
		// narrow reads the site alone.
		s := serve(t, Options{Challenge: c}, model(t, "narrow"), model(t, "lr"))
		for range 5 {
			if a := s.post("/v1/score", jsonKind, `{"request_id":"r","site":"s1"}`); a.code != 200 || a.Get("Ctr-Model") != "narrow" {
				t.Errorf("shadow %v: %d %s", shadow, a.code, a.body)
			}
		}
		until(t, "five failures", func() bool { return get[Comparison](s, "/v1/challenge").Failed == 5 })
	}
}

// safe is a file that a test reads while it is written.
type safe struct {
	mu   sync.Mutex
	text strings.Builder
	err  error
}

func (s *safe) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return s.text.Write(b)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// In the shadow both score all rows, the champion answers, and the log has both.
func TestShadow(t *testing.T) {
	t.Parallel()
	log := &safe{}
	seen := &watcher{}
	s := serve(t, Options{Challenge: &Challenge{Name: "dt", Shadow: true, Log: log}, Observer: seen}, model(t, "lr"), model(t, "dt"))
	var want strings.Builder
	for i := range 20 {
		a := s.post("/v1/score", jsonKind, withID(i))
		if a.Get("Ctr-Model") != "lr" {
			t.Fatalf("%d %v", a.code, a.Header)
		}
		p := s.rows(s.post("/v1/models/lr/score", jsonKind, withID(i)), 1)[0].Probability
		q := s.rows(s.post("/v1/models/dt/score", jsonKind, withID(i)), 1)[0].Probability
		fmt.Fprintf(&want, `{"id":"r%d","y":%d,"champion":%v,"challenger":%v}`+"\n", i, i%2, p, q)
	}
	until(t, "20 lines", func() bool { return strings.Count(log.String(), "\n") == 20 })
	if log.String() != want.String() {
		t.Errorf("log\n%swant\n%s", log.String(), want.String())
	}
	until(t, "20 rows", func() bool { return get[Comparison](s, "/v1/challenge").Rows == 20 })
	c := get[Comparison](s, "/v1/challenge")
	if !(c.MostDifference > 0 && c.MeanDifference > 0 && c.MeanDifference <= c.MostDifference*1.000001) || c.Unlogged != 0 || c.By["champion"].LogLoss == c.By["challenger"].LogLoss {
		t.Errorf("%+v", c)
	}
	if seen.of("lr") != 40 || seen.of("dt") != 40 {
		t.Errorf("told of %d and %d rows, want 40 each", seen.of("lr"), seen.of("dt"))
	}
}

// A log that can't be written is told once and counted; answers go on.
func TestShadowLogFails(t *testing.T) {
	t.Parallel()
	var told notes
	s := serve(t, Options{Challenge: &Challenge{Name: "dt", Shadow: true, Log: &safe{err: errors.New("no space")}}, Note: told.add}, model(t, "lr"), model(t, "dt"))
	for i := range 10 {
		if a := s.post("/v1/score", jsonKind, "["+withID(i)+","+withID(i)+"]"); a.code != 200 {
			t.Fatalf("%d %s", a.code, a.body)
		}
	}
	until(t, "20 rows unlogged", func() bool { return get[Comparison](s, "/v1/challenge").Unlogged == 20 })
	if text := told.take(); text != "the log of challenger dt: no space" {
		t.Errorf("told %q", text)
	}
}

// Figures are of one pair of models: they begin anew with either.
func TestComparisonBeginsAnew(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new.ctr")
	copyTo(t, file, model(t, "lr"))
	r := registry(t, nil, model(t, "dt"), file)
	s := serve(t, Options{Registry: r, Challenge: &Challenge{Name: "new", Shadow: true}})
	s.post("/v1/score", jsonKind, withID(1))
	until(t, "a row", func() bool { return get[Comparison](s, "/v1/challenge").Rows == 1 })
	before := s.Comparison()
	copyTo(t, file, model(t, "other"))
	if n, err := r.Reload(false); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	after := s.Comparison()
	if after.Rows != 0 || after.By["champion"].Rows != 0 || after.Challenger == before.Challenger || after.Champion != before.Champion {
		t.Errorf("%+v\n%+v", before, after)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}
