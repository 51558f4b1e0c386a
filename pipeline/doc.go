// Package pipeline joins rows, features and models: it trains from files,
// judges, replays rows to a topic and scores them live. It never prints: what
// a caller may want to show goes to an Observer or comes back as a result.
package pipeline
