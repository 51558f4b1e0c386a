package commands

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"ctr/pipeline/monitor"
)

func otlpFlag(p *string) cli.Flag {
	return stringFlag(p, "otlp", "send OpenTelemetry traces to the collector at `URL`, such as http://localhost:4318; OTEL_ variables set the rest")
}

// traced gives a Tracer for --otlp; without it, nil.
func traced(url string, note func(string)) (*monitor.Tracer, error) {
	if url == "" {
		return nil, nil
	}
	t, err := monitor.NewTracer(monitor.TraceOptions{URL: url, Version: version, Note: note})
	if err != nil {
		return nil, usagef("%v", err)
	}
	return t, nil
}

// closeTracer sends what is left; what can't be sent has been told.
func closeTracer(t *monitor.Tracer) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = t.Close(ctx)
}
