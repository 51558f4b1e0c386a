package monitor

import "time"

// Live is the JSON of /api/live and of each event of /api/events: how a process
// that scores stands. Shares and probabilities are in 0..1, times of day are
// RFC 3339 in UTC, spans are in seconds. What is not known is null, and a list
// is never null.
type Live struct {
	Time    time.Time `json:"time"`
	Source  string    `json:"source"` // "serve" (requests) or "stream" (a topic)
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Uptime  float64   `json:"uptime_seconds"`
	// State is "ready", or in a few words why not: "starting", "stopping", …
	State string `json:"state"`
	Topic string `json:"topic,omitempty"` // of a stream
	Group string `json:"group,omitempty"`

	// Totals are since the start, of all models.
	Totals Totals `json:"totals"`
	// RowsPerSecond and RequestsPerSecond are over the last ten whole seconds.
	RowsPerSecond     float64 `json:"rows_per_second"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	// Latency has the spans that are measured here: of requests or of records.
	Latency []Latency `json:"latency"`
	// Lag has the partitions at hand, by topic and number; none of a server of
	// requests. LagTotal is their sum.
	Lag      []Partition `json:"lag"`
	LagTotal int64       `json:"lag_total"`
	// Routes are the paths that were asked for, by name.
	Routes []Route `json:"routes"`

	// Models are those that are served, the default one first.
	Models []Model `json:"models"`
	// Alarms are those that are raised now, the worst first.
	Alarms []Alarm `json:"alarms"`
	// Predictions are the last ones that were looked at, about one a second,
	// the newest first.
	Predictions []Prediction `json:"predictions"`
	// Problems are the last errors and dead letters, the newest first.
	Problems []Problem `json:"problems"`
	// Events are what happened to the process, the newest first: models that
	// were replaced or refused, partitions that came and went.
	Events []Event `json:"events"`
}

// Totals are numbers since the start.
type Totals struct {
	Rows        int64 `json:"rows"`         // that came: predictions and bad rows
	Predictions int64 `json:"predictions"`  // rows that were scored
	Clicks      int64 `json:"clicks"`       // predictions of 1
	Labelled    int64 `json:"labelled"`     // scored rows that had a label
	Bad         int64 `json:"bad"`          // rows that could not be scored
	DeadLetters int64 `json:"dead_letters"` // bad records that were put aside: those of a stream
	Requests    int64 `json:"requests"`     // for predictions that were answered, whatever the answer
	Errors      int64 `json:"errors"`       // requests answered by 400 or more
}

// Latency is how long something took, over the last minute.
type Latency struct {
	// Name is "request" (from its first byte to its answer), "score" (of the
	// rows of a request or a batch) or "record" (from when a record was produced
	// to its prediction, by the record's timestamp).
	Name  string `json:"name"`
	Count int64  `json:"count"` // in the last minute
	// The quantiles are read off a histogram with 14 bins a factor of ten, so
	// that they are right within a tenth or so; null where Count is 0.
	P50  *float64 `json:"p50"`
	P90  *float64 `json:"p90"`
	P99  *float64 `json:"p99"`
	P999 *float64 `json:"p999"`
	Max  *float64 `json:"max"`
	Mean *float64 `json:"mean"`
}

// Partition is one partition of a topic.
type Partition struct {
	Topic         string  `json:"topic"`
	Partition     int32   `json:"partition"`
	Lag           int64   `json:"lag"`  // records not yet written
	Next          int64   `json:"next"` // offset
	Committed     int64   `json:"committed"`
	Rows          int64   `json:"rows"`
	RowsPerSecond float64 `json:"rows_per_second"`
}

// Route is what became of the requests of one path.
type Route struct {
	Route    string  `json:"route"`
	Status   []Count `json:"status"` // by status code
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"` // of status 400 or more
}

// Count is how often a named thing was seen.
type Count struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// Model is one version of a model and what it predicted. Its figures begin when
// it is loaded.
type Model struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Hash      string    `json:"hash"`
	Algo      string    `json:"algo"`
	Threshold float64   `json:"threshold"`
	Loaded    time.Time `json:"loaded"`
	Default   bool      `json:"default"`
	Refused   string    `json:"refused,omitempty"` // why the newest file is not served

	Predictions int64    `json:"predictions"`
	Clicks      int64    `json:"clicks"` // predictions of 1
	Labelled    int64    `json:"labelled"`
	MeanScore   *float64 `json:"mean_score"` // mean probability of all rows
	// Scores is the histogram of probabilities: 50 bins of 0.02.
	Scores []Bin `json:"scores"`
	// Seconds has the last two minutes and Minutes the last three hours, whole
	// ones, the oldest first; those before the start are left out.
	Seconds []Point `json:"seconds"`
	Minutes []Point `json:"minutes"`
	// Calibration has at most ten groups of labelled rows of about the same
	// number, by rising probability, since the start.
	Calibration []Group `json:"calibration"`
	// Total judges all labelled rows since the start, Recent those of the last 15
	// minutes; null where no labels have come.
	Total  *Quality `json:"quality"`
	Recent *Quality `json:"recent_quality"`
	// Columns has the fields of the model in its order.
	Columns []Column `json:"columns"`
	// Sampled is how many rows Columns rests on: those of the last 15 minutes,
	// at most about 2,000 a second.
	Sampled int64 `json:"sampled"`

	st *served
}

// Bin is a part of a histogram: From < probability <= To (0 is in the first).
type Bin struct {
	From   float64 `json:"from"`
	To     float64 `json:"to"`
	Rows   int64   `json:"rows"`
	Clicks int64   `json:"clicks"` // labels of 1 among them
}

// Point is one second or one minute.
type Point struct {
	Time        time.Time `json:"time"` // when it began
	Predictions int64     `json:"predictions"`
	Bad         int64     `json:"bad"`
	Labelled    int64     `json:"labelled"`
	// Predicted is the mean probability of all its rows, PredictedLabelled of
	// those that had a label, and Observed their share of clicks; null where
	// there were none.
	Predicted         *float64 `json:"predicted"`
	PredictedLabelled *float64 `json:"predicted_labelled"`
	Observed          *float64 `json:"observed"`
}

// Group is one line of a calibration table.
type Group struct {
	From      float64 `json:"from"` // probabilities
	To        float64 `json:"to"`
	Rows      int64   `json:"rows"`
	Predicted float64 `json:"predicted"` // their mean
	Observed  float64 `json:"observed"`  // share of clicks
}

// Quality judges labelled rows. What can't be said of them (F1 without a
// predicted or real click, AUC of one class) is null.
type Quality struct {
	Rows      int64    `json:"rows"`
	Clicks    int64    `json:"clicks"` // labels of 1
	Accuracy  *float64 `json:"accuracy"`
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
	// AUC is that of probabilities in bins (32 an octave of p or 1 - p, so of 2
	// or 3 % of it): rows of one bin count as ties.
	AUC         *float64 `json:"auc"`
	LogLoss     *float64 `json:"log_loss"`
	Predicted   *float64 `json:"predicted"`   // mean probability
	Observed    *float64 `json:"observed"`    // share of clicks
	Calibration *float64 `json:"calibration"` // Predicted / Observed: 1 is right, above 1 promises too many clicks
}

// Column is how a field's values differ from those of the training rows.
type Column struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // "dict", "hash" or "num"
	// Unseen is the share of rows whose value training had not seen (or too
	// seldom), TrainUnseen that among the rows that training held out (or among
	// its own, where it held out none); null for hashed fields and numbers, and
	// where the model file does not tell.
	Unseen      *float64 `json:"unseen"`
	TrainUnseen *float64 `json:"train_unseen"`
	// Missing is the share of rows without a value, TrainMissing that among the
	// training rows; null for all but numbers.
	Missing      *float64 `json:"missing"`
	TrainMissing *float64 `json:"train_missing"`
	// PSI is the population stability index against the training rows over at
	// most 20 bins: under 0.1 is as good as none, over 0.2 is drift. Null where
	// the model file does not have the training rows' counts (see Note) or fewer
	// than 500 rows were looked at.
	PSI *float64 `json:"psi"`
	// Alarm is "", "psi", "unseen" or "missing": the first that is raised.
	Alarm string `json:"alarm"`
	// Note says why something is null or raises no alarm; often "".
	Note string `json:"note"`
}

// Alarm is something that should be looked at.
type Alarm struct {
	// Kind is "psi", "unseen", "missing", "calibration", "lag", "errors" or
	// "model" (the newest file is refused).
	Kind   string    `json:"kind"`
	Model  string    `json:"model,omitempty"`
	Column string    `json:"column,omitempty"`
	Value  float64   `json:"value"`
	Limit  float64   `json:"limit"`
	Since  time.Time `json:"since"`
	Text   string    `json:"text"` // one line for people
}

// Prediction is one row that was scored and, where the model can say it, why.
type Prediction struct {
	Time        time.Time `json:"time"`
	Model       string    `json:"model"`
	ID          *string   `json:"id"` // null where the row has none, or it is redacted
	Probability float64   `json:"probability"`
	Prediction  int       `json:"prediction"`
	Label       *int      `json:"label"`
	// Place is "TOPIC/PARTITION@OFFSET" of a record, "" of a request's row.
	Place string `json:"place"`
	// Scale is "log-odds" or "probability", "" where the model can't explain
	// itself; Baseline is what the contributions are added to.
	Scale    string  `json:"scale"`
	Baseline float64 `json:"baseline"`
	// Why has the at most eight fields that moved it most, the strongest first.
	Why []Reason `json:"why"`
}

// Reason is what one field added.
type Reason struct {
	Column       string  `json:"column"`
	Value        *string `json:"value"` // null where it is redacted
	Unseen       bool    `json:"unseen"`
	Contribution float64 `json:"contribution"`
}

// Problem is an error of a request or a dead letter.
type Problem struct {
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"`  // "error" or "dead letter"
	Place string    `json:"place"` // a route, or "TOPIC/PARTITION@OFFSET"
	// Status is that of the answer, 0 of a dead letter.
	Status int    `json:"status"`
	Text   string `json:"text"`
	Count  int64  `json:"count"` // how often in a row with the same text
}

// Event is something that happened to the process.
type Event struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}
