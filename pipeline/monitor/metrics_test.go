package monitor

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

var _ = testutil.GatherAndLint
var _ *testing.T
