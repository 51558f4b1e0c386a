// Package monitor keeps count of what is scored, live: rows, latencies, quality
// where labels come, drift against the training rows. It answers /api/live,
// /api/events and /metrics.
package monitor
