package commands

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/pipeline"
	"ctr/pipeline/serve"
)

// logFlag chooses the form of what goes to standard error.
func logFlag(s *stdio) []cli.Flag {
	s.logFormat = "text"
	return group("Common", choiceFlag(&s.logFormat, "log-format",
		"`FORM` of standard error: text, or json, one object a line and no progress bar", "text", "json"))
}

// logger gives nil where standard error is text.
func (s *stdio) logger() *slog.Logger {
	if s.logFormat != "json" {
		return nil
	}
	return slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				a.Value = slog.StringValue(a.Value.Time().UTC().Format(pipeline.TimestampForm))
			}
			return a
		},
	}))
}

// say writes one line, or one object with the fields given.
func (s *stdio) say(text string, fields ...any) {
	if log := s.logger(); log != nil {
		log.Info(text, fields...)
		return
	}
	fmt.Fprintln(s.err, text)
}

// warn writes one line that says what is dangerous.
func (s *stdio) warn(text string) {
	if log := s.logger(); log != nil {
		log.Warn(text)
		return
	}
	fmt.Fprintln(s.err, "ctr: warning: "+text)
}

// reportJSON is report where standard error is JSON.
func reportJSON(log *slog.Logger, err error) {
	var fields []any
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		fields = append(fields, "hint", h.Hint())
	}
	log.Error(err.Error(), fields...)
}

// statsFields are those of a line about how scoring stands.
func statsFields(topic string, st *pipeline.Stats) []any {
	fields := []any{
		"topic", topic, "rows", st.Rows, "bad", st.Bad, "rows_per_second", st.RowsPerSecond,
		"lag", st.Lag, "elapsed_seconds", st.Elapsed.Round(time.Millisecond).Seconds(),
		"partitions", serve.Partitions(st.Partitions),
	}
	if r := &st.Running; r.Rows > 0 {
		fields = append(fields, "mean_prediction", r.MeanPrediction)
		if r.Labelled > 0 {
			fields = append(fields, "accuracy", r.Accuracy, "f1", r.F1, "log_loss", r.LogLoss)
		}
	}
	return fields
}
