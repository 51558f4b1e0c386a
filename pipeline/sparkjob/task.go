// Package sparkjob runs the PySpark program of `ctr train --engine spark` by
// the user's spark-submit: it writes the task, follows what the program tells,
// and stops it. What the program does is in job.py, rows.py and judging.py.
package sparkjob

import (
	"embed"
	"encoding/json"

	"ctr/models/metrics"
)

//go:embed job.py judging.py rows.py trees.py
var program embed.FS

// What a Task can ask for.
const (
	DoLook  = "look"  // find the format and the columns of Paths
	DoTrain = "train" // fit a model
)

// Formats of the data.
const (
	CSV     = "csv"
	Parquet = "parquet"
)

// Task is what the program is to do. It is the program's TASK.json.
type Task struct {
	Do    string   `json:"do"`
	Paths []string `json:"paths"` // as Spark names them: file:///…, hdfs://…

	// Format is CSV or Parquet, Layout the columns in their order; Header and
	// Comma are of CSV.
	Format string   `json:"format,omitempty"`
	Layout []string `json:"layout,omitempty"`
	Header bool     `json:"header"`
	Comma  string   `json:"comma,omitempty"`
	// Label, Time and Weight are places in Layout; -1 where there is none.
	Label  int     `json:"label"`
	Time   int     `json:"time"`
	Weight int     `json:"weight"`
	Fields []Field `json:"fields,omitempty"`

	// Since and Until, in hours since 1970, keep Since <= time < Until.
	Since *int32 `json:"since,omitempty"`
	Until *int32 `json:"until,omitempty"`
	// Split is "time", "random", "none", or "" for the first that can be.
	Split    string  `json:"split"`
	Fraction float64 `json:"fraction"`
	Seed     int64   `json:"seed"`

	Algo     string   `json:"algo"` // "lr", "dt" or "rf"
	Settings Settings `json:"settings"`

	// Judge asks for Spark's own figures. Threshold nil is found on the
	// training rows, by F1 or the costs.
	Judge     bool     `json:"judge"`
	Threshold *float64 `json:"threshold"`
	CostFP    float64  `json:"cost_fp"`
	CostFN    float64  `json:"cost_fn"`

	// Set by Run.
	Out    string `json:"out"`    // the folder of the PipelineModel
	Parent int    `json:"parent"` // the process without which the program ends
}

// Field is a category to be made of each row: one source, or several joined by
// 0x1F. A source is a place in Layout or a part of the time.
type Field struct {
	From     []any `json:"from"` // int or string
	MinCount int   `json:"min_count"`
	Cap      bool  `json:"cap"` // numbers are capped at their 0.98 quantile where that is far below their maximum
}

// Settings are those of the algorithm, all of them said.
type Settings struct {
	L1          float64 `json:"l1"`
	L2          float64 `json:"l2"`
	MeanLoss    bool    `json:"mean_loss"` // the penalties stand beside the mean of losses, else the sum
	Standardize bool    `json:"standardize"`
	MaxIter     int     `json:"max_iter"`
	Tol         float64 `json:"tol"`

	Depth       int     `json:"depth"`
	MinLeaf     int     `json:"min_leaf"`
	Values      int     `json:"values"`    // of a field that a tree tells apart, at most
	MinGroup    int     `json:"min_group"` // rows that such a value has, at least
	MaxBins     int     `json:"max_bins"`  // one more than the cuts between them that Spark tries
	Price       float64 `json:"price"`     // what a split must explain, over p(1-p) of its node
	Smooth      float64 `json:"smooth"`    // rows at its parent's probability that are added to each node
	Trees       int     `json:"trees"`
	ColumnShare float64 `json:"column_share"`
	RowShare    float64 `json:"row_share"`
	Bootstrap   bool    `json:"bootstrap"`
}

// Event is one line that the program tells: one of its members is set.
type Event struct {
	Application *Application `json:"application"`
	Step        string       `json:"step"` // "read", "values", "vectors", "fit", "smooth", "judge", "save"
	Progress    *Progress    `json:"progress"`
	Look        *Look        `json:"look"`
	Done        *Done        `json:"done"`
	// Fault is of the data or the task; Error is Spark's.
	Fault string `json:"fault"`
	Error string `json:"error"`
	// Waiting is made of a line of the log: no worker takes the work.
	Waiting bool `json:"-"`
}

// Application is how the cluster knows the job.
type Application struct {
	ID string `json:"id"`
	UI string `json:"ui"` // "" where it has none
}

// Progress is how far Spark's active stages are, in tasks.
type Progress struct {
	Stage int   `json:"stage"` // number of the newest, rising
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// Look is the answer to DoLook.
type Look struct {
	Format  string   `json:"format"`
	Columns []string `json:"columns"` // of Parquet
	First   string   `json:"first"`   // row of CSV
}

// Done is the answer to DoTrain.
type Done struct {
	Split struct {
		Kind     string `json:"kind"`
		Boundary int32  `json:"boundary"` // hours since 1970, by time
	} `json:"split"`
	Sizes struct {
		Train Size `json:"train"`
		Test  Size `json:"test"`
	} `json:"sizes"`
	Caps   map[int]float64 `json:"caps"`   // by field, where there is one
	Fields []int           `json:"fields"` // of Task.Fields, those of which any value is known
	Spark  string          `json:"spark"`  // version

	// Set where Task.Judge is.
	Threshold float64          `json:"threshold"`
	Train     *metrics.Metrics `json:"train"`
	Test      *metrics.Metrics `json:"test"`
}

// Size says how many rows a part has.
type Size struct {
	Rows   int `json:"rows"`
	Clicks int `json:"clicks"`
}

// ValueMark begins each value in the model that the program leaves: no value
// is empty there.
const ValueMark = '='

// eventMark begins the lines that are events.
const eventMark = "@ctr "

// eventOf reads a line that the program printed; ok is false where it is none
// of its own.
func eventOf(line string) (e Event, ok bool) {
	if len(line) <= len(eventMark) || line[:len(eventMark)] != eventMark {
		return e, false
	}
	return e, json.Unmarshal([]byte(line[len(eventMark):]), &e) == nil
}
