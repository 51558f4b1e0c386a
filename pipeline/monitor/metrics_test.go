package monitor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"ctr/pipeline"
)

// busyMonitors gives one of requests and one of a stream, which have seen
// something of all there is.
func busyMonitors(t *testing.T) []*Monitor {
	t.Helper()
	f, c := fixtureOf(t), newClock()
	reg := registryOf(t, f.lr)
	one := serving(reg, c)
	ask(t, one, reg.Default(), f.lines[testRows-2000:]...)
	one.Answered("/v1/score", 400, time.Millisecond)
	other, scorer, watch := topic(t, c)
	b := batchOf(append([][]byte{[]byte("no")}, f.lines[:600]...), c.now())
	scorer.Score(b)
	watch.Scored(b)
	other.Stats(pipeline.Stats{Partitions: []pipeline.PartitionStats{{Topic: "clicks", Partition: 3, Lag: 7, Committed: -1}}})
	return []*Monitor{one, other}
}

func TestMetricsAreNamedWell(t *testing.T) {
	for _, m := range busyMonitors(t) {
		faults, err := testutil.GatherAndLint(m.registry())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range faults {
			if strings.HasPrefix(p.Metric, "ctr_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	}
}

// The names are there, and say what /api/live says.
func TestMetricsAreTheLiveFigures(t *testing.T) {
	monitors := busyMonitors(t)
	m := monitors[0]
	w := httptest.NewRecorder()
	pagesOf(m).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	text, v := w.Body.String(), m.Live().Models[0]
	for _, name := range []string{
		"ctr_predictions_total", "ctr_prediction_duration_seconds_bucket", "ctr_feature_unknown_total", "ctr_score_bucket",
		"ctr_calibration_ratio", "ctr_build_info", "ctr_request_duration_seconds_count", "ctr_requests_total", "go_goroutines", "process_cpu_seconds_total",
	} {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("%s is not in /metrics", name)
		}
	}
	value := func(m *Monitor, name string, labels ...string) float64 {
		t.Helper()
		all, err := m.registry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		sum, found := 0.0, false
		for _, family := range all {
			if family.GetName() != name {
				continue
			}
			for _, x := range family.GetMetric() {
				has := 0
				for _, l := range x.GetLabel() {
					if slices.Contains(labels, l.GetName()+"="+l.GetValue()) {
						has++
					}
				}
				if has == len(labels) {
					found = true
					sum += x.GetCounter().GetValue() + x.GetGauge().GetValue() + float64(x.GetHistogram().GetSampleCount())
				}
			}
		}
		if !found {
			t.Errorf("%s %v: not there", name, labels)
		}
		return sum
	}
	same := func(name string, want float64, labels ...string) {
		t.Helper()
		if got := value(m, name, labels...); got != want {
			t.Errorf("%s %v: %v: want %v", name, labels, got, want)
		}
	}
	same("ctr_predictions_total", float64(v.Predictions))
	same("ctr_predictions_total", float64(v.Clicks), "prediction=1")
	same("ctr_labelled_rows_total", float64(v.Total.Clicks), "label=1")
	same("ctr_calibration_ratio", *v.Recent.Calibration)
	same("ctr_score", 2000)
	same("ctr_feature_psi", *v.Columns[1].PSI, "feature="+v.Columns[1].Name)
	same("ctr_requests_total", 1, "code=400", "route=/v1/score")
	same("ctr_ready", 1)
	if got := value(monitors[1], "ctr_stream_lag_records", "topic=clicks", "partition=3"); got != 7 {
		t.Errorf("lag %v: want 7", got)
	}
	if got := value(monitors[1], "ctr_dead_letters_total"); got != 1 {
		t.Errorf("dead letters %v: want 1", got)
	}
	if got := value(monitors[1], "ctr_stream_latency_seconds"); got != 601 {
		t.Errorf("records %v: want 601", got)
	}
}

// The dashboard asks for nothing that is not there.
func TestDashboardAsksForWhatIsThere(t *testing.T) {
	b, err := os.ReadFile("../../deploy/grafana/ctr.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title  string `json:"title"`
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, m := range busyMonitors(t) {
		all, err := prometheus.Gatherers{m.registry()}.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range all {
			there[family.GetName()] = true
			if family.GetType().String() == "HISTOGRAM" {
				for _, end := range []string{"_bucket", "_sum", "_count"} {
					there[family.GetName()+end] = true
				}
			}
		}
	}
	named := regexp.MustCompile(`\b(ctr|go|process)_[a-z0-9_]+`)
	asked := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			names := named.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("panel %s: %s: no metric", p.Title, target.Expr)
			}
			for _, name := range names {
				asked++
				if !there[name] {
					t.Errorf("panel %s: %s: no metric %s", p.Title, target.Expr, name)
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("%d metrics in %d panels: want 20 or more", asked, len(board.Panels))
	}
}
