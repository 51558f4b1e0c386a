package commands

import (
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdPost sends a file and keeps the answer, whose status must be 200 unless
// the command is negated.
func cmdPost(ts *testscript.TestScript, neg bool, args []string) {
	q, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(ts.ReadFile(args[2])))
	ts.Check(err)
	q.Header.Set("Content-Type", args[1])
	if len(args) > 4 {
		q.Header.Set("Authorization", args[4])
	}
	r, err := http.DefaultClient.Do(q)
	ts.Check(err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), text, 0o600))
	if (r.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("%s: %d %s", args[0], r.StatusCode, text)
	}
}
