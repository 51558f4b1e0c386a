package infer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ctr/pipeline"
)

// trained holds the models of all tests: they are trained once.
var trained string

func TestMain(m *testing.M) {
	code := func() int {
		dir, err := os.MkdirTemp("", "infer")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		trained = dir
		return m.Run()
	}()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

const shopSchema = `name: shop
columns:
  - id: request_id
  - label: bought
  - time: hour
  - category: [site, device]
  - number: [price, age]
  - ignore: note
layouts:
  - [request_id, bought, hour, site, device, price, age, note]
`

const shopHeader = "request_id,bought,hour,site,device,price,age,note\n"

// shopRows gives n rows as CSV without a header.
func shopRows(n int, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // made up rows
	var b strings.Builder
	for i := range n {
		site, device, price := rng.IntN(5), rng.IntN(4), rng.IntN(300)
		y := 0
		if rng.IntN(12) < 2+site+device {
			y = 1
		}
		fmt.Fprintf(&b, "r%04d,%d,141021%02d,s%d,d%d,%d.%d,%d,hello\n", i, y, i*24/n, site, device, price, i%10, 18+rng.IntN(50))
	}
	return b.String()
}

var once sync.Map // of names of models to what trains them

// model gives a file with a model of shop's rows: lr, other (lr of other
// rows), dt, or history.
func model(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(trained, name+".ctr")
	do, _ := once.LoadOrStore(name, sync.OnceValue(func() error {
		rows, schema := filepath.Join(trained, name+".csv"), filepath.Join(trained, name+".yaml")
		seed := uint64(1)
		o := pipeline.TrainOptions{Algo: "lr", Split: "none", Out: path}
		switch name {
		case "other":
			seed = 2
		case "dt":
			o.Algo = "dt"
		case "narrow":
			o.Include = []string{"site"}
		case "history":
			o.History = []string{"device"}
		}
		if err := os.WriteFile(rows, []byte(shopHeader+shopRows(400, seed)), 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(schema, []byte(shopSchema), 0o600); err != nil {
			return err
		}
		o.Files, o.Schema = []string{rows}, schema
		_, err := pipeline.Train(context.Background(), o, nil)
		return err
	}))
	if err := do.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return path
}

// copyTo puts a copy of a file where another is, in one step.
func copyTo(t testing.TB, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, to, b)
}

func replace(t testing.TB, to string, b []byte) {
	t.Helper()
	if err := os.WriteFile(to+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

// notes are what a Registry or Server has told.
type notes struct {
	mu   sync.Mutex
	text []string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text = append(n.text, text)
}

// take gives what was told since the last call.
func (n *notes) take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	text := strings.Join(n.text, "\n")
	n.text = nil
	return text
}

// site is a server under test.
type site struct {
	*Server
	t      testing.TB
	client *http.Client
	url    string
}

// serve starts a server of models, each [NAME[@VERSION]=]FILE, with a Registry
// of its own where the options have none.
func serve(t testing.TB, o Options, models ...string) *site {
	t.Helper()
	if o.Registry == nil {
		o.Registry = registry(t, nil, models...)
	}
	o.Listen, o.Version = "127.0.0.1:0", "test"
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return &site{s, t, client, "http://" + s.Addr()}
}

func registry(t testing.TB, n *notes, models ...string) *Registry {
	t.Helper()
	o := RegistryOptions{}
	if n != nil {
		o.Note = n.add
	}
	for _, m := range models {
		f, err := ParseModelFile(m)
		if err != nil {
			t.Fatal(err)
		}
		o.Files = append(o.Files, f)
	}
	r, err := OpenModels(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is what came back.
type answer struct {
	code int
	http.Header
	body string
}

// do sends a request whose headers are given as name, value, ….
func (s *site) do(method, path string, body io.Reader, headers ...string) answer {
	s.t.Helper()
	q, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Add(headers[i], headers[i+1])
	}
	r, err := s.client.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{r.StatusCode, r.Header, string(b)}
}

func (s *site) post(path, kind, body string) answer {
	s.t.Helper()
	return s.do("POST", path, strings.NewReader(body), "Content-Type", kind)
}

// raw sends bytes as they are and gives all that comes back until the server
// closes or wait is over.
func (s *site) raw(text string, wait time.Duration) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		s.t.Fatal(err)
	}
	b, _ := io.ReadAll(c) // the deadline, or a connection that was reset
	return string(b)
}

// scored is a row of a JSON answer.
type scored struct {
	ID          *string
	Probability float64
	Prediction  int
	Explanation *struct {
		Scale         string
		Baseline      float64
		Contributions map[string]float64
	}
}

func (s *site) rows(a answer, n int) []scored {
	s.t.Helper()
	var rows []scored
	d := json.NewDecoder(strings.NewReader(a.body))
	if a.code != 200 {
		s.t.Fatalf("%d %s", a.code, a.body)
	}
	if strings.HasPrefix(a.body, "[") {
		if err := d.Decode(&rows); err != nil {
			s.t.Fatalf("%v in %s", err, a.body)
		}
	} else {
		for d.More() {
			var one scored
			if err := d.Decode(&one); err != nil {
				s.t.Fatalf("%v in %s", err, a.body)
			}
			rows = append(rows, one)
		}
	}
	if len(rows) != n {
		s.t.Fatalf("%d rows, want %d: %s", len(rows), n, a.body)
	}
	return rows
}

// get decodes the JSON of a page.
func get[T any](s *site, path string) (v T) {
	s.t.Helper()
	a := s.do("GET", path, nil)
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.code != 200 {
		s.t.Fatalf("%s: %d %s: %v", path, a.code, a.body, err)
	}
	return v
}

func fileBytes(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}
