package pipeline

import (
	"io"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
)

// Input says what rows to read: the same for training, evaluation and
// scoring of files.
type Input struct {
	// Files are paths or globs; "-" is Stdin. Empty means built-in synthetic
	// rows for Train, and the training's own data for Evaluate.
	Files []string
	// Stdin is what "-" reads.
	Stdin io.Reader
	// Schema is a preset's name or the path of a YAML file; "" = found from
	// the header or the number of columns.
	Schema string
	// Columns is the order of the columns of files without a header.
	Columns []string
	// NoHeader says that the first row is data, whatever it looks like.
	NoHeader bool
	// Comma separates fields; 0 = found from the schema and the first row.
	Comma byte
	// MaxBad is how many bad rows are passed over before it is an error.
	MaxBad int
	// Redact are columns whose values are left out of errors and notes. A model
	// that is trained has them hashed, and says so to whatever uses it.
	Redact []string
	// Since and Until, where not "", keep rows with Since <= time < Until,
	// in either form of the hour.
	Since, Until string
	// Rows, where not 0, takes a uniform sample of so many rows.
	Rows int64
	// Seed drives sampling and the random split.
	Seed uint64
	// Threads is the number of workers; 0 = all cores.
	Threads int
	// Cache has training read files from caches beside them (see
	// CacheSuffix), which it makes where they are missing or out of date.
	Cache bool

	spool string // a file with what Stdin had; "" = it was not copied
}

// TrainOptions are the settings of Train and Compare.
type TrainOptions struct {
	Input
	// Preset names a set of columns, caps and model settings: "" = the
	// default of the data's schema, "replaced-lr" or "replaced-dt" = those
	// of the PySpark system that ctr replaces.
	Preset string
	// Algo is a name of the registry: "lr", "dt", "rf".
	Algo string
	// Split is "time", "random" or "none"; "" = by time where the data has a
	// time column, else random.
	Split string
	// TestFraction is the share of rows held out; 0 means 0.3.
	TestFraction float64
	// Include and Exclude choose columns (names of columns or of the parts
	// of an hour: hour_time, day, dayofweek, month); Crosses adds pairs or more.
	Include, Exclude []string
	Crosses          [][]string
	// CrossPairs are lists of columns of which all pairs are crossed; a list
	// of the one word "all" stands for all columns in use.
	CrossPairs [][]string
	// AutoCross, where not 0, adds so many pairs at most: those that lower
	// the log loss of the training rows most, each row judged by what rows of
	// other hours teach (see models/crosses). The rows are read once more.
	AutoCross int
	// MinCount is how often a value must be seen in the training rows; 0 =
	// the default.
	MinCount int
	// Bits, where not 0, hashes the categories into 2^Bits codes in place of
	// dictionaries.
	Bits int
	// Bins is the number of bins of a number column; 0 = the default.
	Bins int
	// NumbersAsValues makes lr weigh numbers themselves instead of bins.
	NumbersAsValues bool
	// History are keys whose earlier rows are features: columns joined by
	// "+", or "auto" for those that help with the schema's data. Rows must be
	// in the order of time; those left out by Since, Until and Rows are
	// counted as well.
	History []string
	// HistoryBits is the size of the table that counts them, 2^HistoryBits
	// keys; 0 = the default.
	HistoryBits int
	// Threshold is "auto" or "" (picked on the training rows) or a number.
	Threshold string
	// CostFP and CostFN, where not both 0, pick the threshold of least cost.
	CostFP, CostFN float64
	// Weight is the column of row weights; "" = the schema's, if any.
	Weight string
	// KeepNegatives, where not nil, is the share of rows without a click that
	// online learning looks at; probabilities are corrected for it.
	KeepNegatives *float64
	// Window is how many rows there are between two lines of the progressive
	// log loss of online learning; 0 = 1,000, 2,000, 4,000 and so on.
	Window int64
	// WarmStart, where not "", is a model file to go on from: one that online
	// learning wrote. Its features are taken as they are.
	WarmStart string
	// Memory, where not 0, is how many bytes training may take from memory for
	// what it keeps of each row, all together; the rest is in temporary files
	// of the folder ScratchDir ("" = the system's). Dictionaries and the model
	// are not counted.
	Memory     int64
	ScratchDir string
	// Out is where the model is written; "" = nowhere.
	Out string
	// Model has the settings of the algorithm.
	Model models.Options

	// unhashed has redacted columns read as others, for a look at the rows that
	// no model is made of.
	unhashed bool

	warmed  *models.Artifact // of WarmStart
	scratch *features.Scratch
	keep    int64       // rows kept of those read, to search pairs in; 0 = all
	found   []CrossGain // by AutoCross
}

// TrainResult is what Train did. Its JSON is the command's.
type TrainResult struct {
	ModelPath string           `json:"model"`
	Algo      string           `json:"algo"`
	Rows      RowCounts        `json:"rows"`
	Seconds   float64          `json:"seconds"`
	Train     metrics.Metrics  `json:"train"`
	Test      *metrics.Metrics `json:"test,omitempty"`
	// Crosses are the pairs of columns that AutoCross chose, in the order in
	// which it found them.
	Crosses []CrossGain `json:"crosses,omitempty"`
	// Progressive is how the log loss went while rows were learned from
	// online, each predicted first. Train is then of these predictions.
	Progressive []ProgressPoint `json:"progressive,omitempty"`

	// JudgedBy is "spark" where Train and Test are Spark's own figures.
	JudgedBy string `json:"judged_by,omitempty"`

	// Artifact is the model as it was (or would be) written.
	Artifact *models.Artifact `json:"-"`
	// Times says how long each stage took.
	Times map[Stage]time.Duration `json:"-"`
}

// ProgressPoint is the log loss of rows that were predicted before they were
// learned from: of all so far, and of those since the point before.
type ProgressPoint struct {
	Rows    int     `json:"rows"`
	LogLoss float64 `json:"log_loss"`
	Window  float64 `json:"window_log_loss"`
}

// RowCounts says how many rows went where.
type RowCounts struct {
	Train int `json:"train"`
	Test  int `json:"test"`
	// Bad is how many rows were passed over.
	Bad int `json:"bad,omitempty"`
}

// CompareResult is one row of the evaluation table.
type CompareResult struct {
	Algo    string           `json:"algo"`
	Seconds float64          `json:"seconds"`
	Train   metrics.Metrics  `json:"train"`
	Test    *metrics.Metrics `json:"test,omitempty"`
	// Warning says what to know before this row is compared with others.
	Warning string `json:"warning,omitempty"`
}

// EvaluateOptions are the settings of Evaluate.
type EvaluateOptions struct {
	Input
	// Model is the path of the model file.
	Model string
	// Threshold, where not "", replaces the model's.
	Threshold string
	// Predictions, where not "", is the file that gets
	// id,y,probability,prediction in the order of the input.
	Predictions string
	// Overwrite allows Predictions to exist.
	Overwrite bool
}

// EvaluateResult is what Evaluate found.
type EvaluateResult struct {
	metrics.Metrics
	// Held says that the rows were those that training held out.
	Held bool `json:"-"`
	// Files are the files that were read.
	Files []string `json:"-"`
	// Bad is how many rows were passed over.
	Bad int `json:"-"`
}

// ScoreFileOptions are the settings of ScoreFiles.
type ScoreFileOptions struct {
	Input
	Model     string
	Threshold string
	// Output is a path, or "-" for the writer given.
	Output string
	// Format is "csv" (id,y,probability,prediction), "json" (lines) or
	// "kaggle" (id,click).
	Format    string
	Overwrite bool
}

// ScoreFileResult is what ScoreFiles did.
type ScoreFileResult struct {
	Rows, Bad int
	Seconds   float64
	// Mean is the mean probability.
	Mean float64
	// Metrics is set where every row had a label.
	Metrics *metrics.Metrics
}
