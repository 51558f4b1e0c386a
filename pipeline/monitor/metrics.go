package monitor

import (
	"net/http"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ctr/features"
	"ctr/models/metrics"
)

// scoreEnds are the ends of ctr_score's buckets, multiples of the bins' 0.02:
// finer where click probabilities are.
var scoreEnds = []int{1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 35, 40, 45, 50}

// What is told. The constant labels of models are their name and version: as
// many series as there are models served.
var (
	descBuild    = desc("build_info", "The version of ctr and of Go that it was built with; the value is 1.", "version", "goversion")
	descStart    = desc("start_time_seconds", "When counting began, in seconds since 1970.")
	descReady    = desc("ready", "1 where the process is ready, else 0.")
	descModel    = desc("model_info", "Models that are served; the value is 1.", "model", "version", "hash", "algo")
	descLoaded   = desc("model_loaded_timestamp_seconds", "When the model was loaded, in seconds since 1970.", "model", "version")
	descRefused  = desc("model_refused", "1 where the newest file of the model is refused, else 0.", "model", "version")
	descPredict  = desc("predictions_total", "Rows that were scored, by what was predicted.", "model", "version", "prediction")
	descLabelled = desc("labelled_rows_total", "Scored rows that came with a label, by it.", "model", "version", "label")
	descBad      = desc("bad_rows_total", "Rows that could not be scored.")
	descDead     = desc("dead_letters_total", "Records of a stream that could not be scored and were put aside.")
	descRequests = desc("requests_total", "Requests that were answered.", "route", "code")
	descRequest  = desc("request_duration_seconds", "How long requests for predictions took, from their first byte to their answer.")
	descDuration = desc("prediction_duration_seconds", "How long it took to score the rows of one request, or of one batch of a stream.")
	descRecord   = desc("stream_latency_seconds", "How long after a record was produced it was scored, by its timestamp.")
	descRows     = desc("rows_per_second", "Rows that came in each of the last ten seconds, on average.")
	descLag      = desc("stream_lag_records", "Records of a partition that were not yet written.", "topic", "partition")
	descOffset   = desc("stream_committed_offset", "The last offset that was committed, -1 before the first.", "topic", "partition")
	descScore    = desc("score", "Probabilities that were given.", "model", "version")
	descRatio    = desc("calibration_ratio", "Predicted over observed clicks of the labelled rows of the last 15 minutes: 1 is right.", "model", "version")
	descQuality  = map[string]*prometheus.Desc{
		"accuracy": desc("accuracy_ratio", "Share of the labelled rows of the last 15 minutes that were predicted right.", "model", "version"),
		"f1":       desc("f1_ratio", "F1 of the labelled rows of the last 15 minutes.", "model", "version"),
		"auc":      desc("auc_ratio", "Area under the ROC curve of the labelled rows of the last 15 minutes, from binned probabilities.", "model", "version"),
		"log_loss": desc("log_loss_nats", "Mean log loss of the labelled rows of the last 15 minutes.", "model", "version"),
	}
	descSampled = desc("feature_sampled_rows_total", "Rows whose columns were looked at, at most about 2,000 a second: what ctr_feature_unknown_total is of.", "model", "version")
	descUnknown = desc("feature_unknown_total", "Values, of the rows that were looked at, that training had not seen.", "model", "version", "feature")
	descPSI     = desc("feature_psi", "Population stability index of a column over the last 15 minutes against the training rows.", "model", "version", "feature")
	descAlarms  = desc("alarms", "Alarms that are raised now, by kind.", "kind")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ctr_"+name, help, labels, nil)
}

// metricsHandler answers /metrics.
func (m *Monitor) metricsHandler() http.Handler {
	r := m.registry()
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 8, Registry: nil})
}

// registry gathers ctr's metrics and those of Go and the process.
func (m *Monitor) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{m}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// collector gives what a Monitor counted, when it is asked: nothing is counted
// twice.
type collector struct{ m *Monitor }

// Describe implements prometheus.Collector. It says nothing: which models there
// are changes.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	m := c.m
	list, state := m.ask()
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.live(list, state)
	to := sending(ch)
	ready := 0.0
	if v.State == "ready" {
		ready = 1
	}
	to.gauge(descBuild, 1, v.Version, runtime.Version())
	to.gauge(descStart, float64(m.began.UnixMilli())/1e3)
	to.gauge(descReady, ready)
	to.count(descBad, v.Totals.Bad)
	to.gauge(descRows, v.RowsPerSecond)
	to.spans(descDuration, &m.long[spanScore], 1e-5, 10)
	if v.Source == "stream" {
		to.count(descDead, v.Totals.DeadLetters)
		to.spans(descRecord, &m.long[spanRecord], 1e-3, 1000)
		for _, p := range v.Lag {
			id := strconv.Itoa(int(p.Partition))
			to.gauge(descLag, float64(p.Lag), p.Topic, id)
			to.gauge(descOffset, float64(p.Committed), p.Topic, id)
		}
	} else {
		to.spans(descRequest, &m.long[spanRequest], 1e-5, 10)
		m.routes.each(func(route string, status int, n int64) { to.count(descRequests, n, route, strconv.Itoa(status)) })
	}
	for i := range v.Models {
		to.model(&v.Models[i])
	}
	raised := map[string]int{}
	for _, a := range v.Alarms {
		raised[a.Kind]++
	}
	for _, kind := range alarmKinds {
		to.gauge(descAlarms, float64(raised[kind]), kind)
	}
}

// sending makes metrics of numbers.
type sending chan<- prometheus.Metric

func (to sending) gauge(d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (to sending) count(d *prometheus.Desc, n int64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

// spans gives a histogram with three buckets a factor of ten, from and up to so
// many seconds.
func (to sending) spans(d *prometheus.Desc, s *longSpans, from, upTo float64) {
	buckets, sum := map[float64]uint64{}, uint64(0)
	for i, n := range s.bins[:spanBins-1] {
		sum += n
		end, step := float64(spanEnds[i])/1e9, spanSteps[i%len(spanSteps)]
		if (step == 1 || step == 2.5 || step == 5) && end >= from && end <= upTo {
			buckets[end] = sum
		}
	}
	to <- prometheus.MustNewConstHistogram(d, s.count, s.sum, buckets)
}

func (to sending) model(v *Model) {
	st, labels := v.st, []string{v.Name, v.Version}
	refused := 0.0
	if v.Refused != "" {
		refused = 1
	}
	to.gauge(descModel, 1, v.Name, v.Version, v.Hash, v.Algo)
	to.gauge(descLoaded, float64(v.Loaded.UnixMilli())/1e3, labels...)
	to.gauge(descRefused, refused, labels...)
	to.count(descPredict, v.Predictions-v.Clicks, v.Name, v.Version, "0")
	to.count(descPredict, v.Clicks, v.Name, v.Version, "1")
	sum := st.running.Summary()
	to.count(descLabelled, int64(sum.Labelled-sum.Clicks), v.Name, v.Version, "0")
	to.count(descLabelled, int64(sum.Clicks), v.Name, v.Version, "1")
	to.scores(v, &sum)
	if q := v.Recent; q != nil {
		to.known(descRatio, q.Calibration, labels...)
		to.known(descQuality["accuracy"], q.Accuracy, labels...)
		to.known(descQuality["f1"], q.F1, labels...)
		to.known(descQuality["auc"], q.AUC, labels...)
		to.known(descQuality["log_loss"], q.LogLoss, labels...)
	}
	to.count(descSampled, st.sampled, labels...)
	for f := range v.Columns[:min(len(v.Columns), mostColumns)] {
		c := &v.Columns[f]
		if st.fields.kind(f) == features.Dict {
			to.count(descUnknown, st.unseen[f], v.Name, v.Version, c.Name)
		}
		to.known(descPSI, c.PSI, v.Name, v.Version, c.Name)
	}
}

func (to sending) known(d *prometheus.Desc, v *float64, labels ...string) {
	if v != nil {
		to.gauge(d, *v, labels...)
	}
}

func (to sending) scores(v *Model, s *metrics.Summary) {
	buckets, rows, next := map[float64]uint64{}, uint64(0), 0
	for i := range v.Scores {
		rows += uint64(v.Scores[i].Rows)
		if i+1 == scoreEnds[next] {
			buckets[v.Scores[i].To] = rows
			next++
		}
	}
	sum := 0.0
	if s.Rows > 0 {
		sum = s.MeanPrediction * float64(s.Rows)
	}
	to <- prometheus.MustNewConstHistogram(descScore, uint64(v.Predictions), sum, buckets, v.Name, v.Version)
}
