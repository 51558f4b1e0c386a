#!/usr/bin/env python3
"""Writes the Parquet and Arrow files of features/columnar/testdata, and beside
each table the text that its rows must be read as.

    python3 -m venv V && V/bin/pip install pyarrow==26.0.1
    V/bin/python scripts/crosscheck/columnar_fixtures.py ./ctr

The rows are `ctr synth`'s; the table of types is written here by hand, with the
text that is expected of each value. Files are committed as they are: another
pyarrow may write other bytes that mean the same.
"""
import csv
import datetime as dt
import decimal
import io
import pathlib
import subprocess
import sys

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

WANT = "26.0.1"
OUT = pathlib.Path(__file__).resolve().parents[2] / "features/columnar/testdata"
INTS = ["click", "hour", "C1", "banner_pos", "device_type", "device_conn_type", *(f"C{i}" for i in range(14, 22))]


def rows(ctr):
    """60 rows of synth: text, and numbers where Avazu has numbers."""
    text = subprocess.run([ctr, "synth", "--rows", "60", "--seed", "7"], capture_output=True, check=True, text=True).stdout
    (OUT / "rows.csv").write_text(text)
    table = list(csv.reader(io.StringIO(text)))
    columns = {name: [r[i] for r in table[1:]] for i, name in enumerate(table[0])}
    return pa.table({n: pa.array([int(v) for v in c], pa.int64()) if n in INTS else pa.array(c) for n, c in columns.items()})


def parquets(t):
    strings = [n for n in t.column_names if n not in INTS]

    def write(name, table=t, **options):
        pq.write_table(table, OUT / name, **{"store_schema": False, "write_statistics": False, **options})

    write("rows-snappy.parquet")
    write("rows-plain.parquet", use_dictionary=False, compression="none")
    write("rows-v2-zstd.parquet", data_page_version="2.0", compression="zstd")
    write("rows-groups-gzip.parquet", table=t.select(t.column_names[:8]), row_group_size=17, compression="gzip")
    few = t.select(t.column_names[:8])
    with pq.ParquetWriter(OUT / "rows-empty-groups.parquet", few.schema, store_schema=False, write_statistics=False) as w:
        for part in few[:0], few[:31], few[:0], few[31:], few[:0]:
            w.write_table(part)
    write("rows-lz4.parquet", compression="lz4", write_page_checksum=True)
    write("rows-delta.parquet", use_dictionary=False, compression="snappy",
          column_encoding={**{n: "DELTA_BINARY_PACKED" for n in INTS},
                           **{n: "DELTA_BYTE_ARRAY" if i % 2 else "DELTA_LENGTH_BYTE_ARRAY" for i, n in enumerate(strings)}})
    # Small pages, which end at other rows in each column; a dictionary that is
    # given up half-way.
    write("rows-pages.parquet", table=t.select(t.column_names[:9]), data_page_size=64, write_batch_size=5,
          dictionary_pagesize_limit=200, data_page_version="2.0")


def arrows(t):
    coded = pa.table({n: c if n in INTS or n == "id" else c.dictionary_encode() for n, c in zip(t.column_names, t.columns)})
    with ipc.new_stream(OUT / "rows-coded.arrows", coded.schema, options=ipc.IpcWriteOptions(compression="zstd")) as w:
        w.write_table(coded)
    with ipc.new_file(OUT / "rows-batches.arrow", t.schema, options=ipc.IpcWriteOptions(compression="zstd")) as w:
        w.write_table(t.select(t.column_names), max_chunksize=33)
    feather.write_feather(t, OUT / "rows.feather", compression="lz4")


def types():
    """One column a type: (values, the text of each)."""
    d, t = dt.date, dt.datetime
    at = [t(2014, 10, 21, 5, 59, 59, 999000), None, t(1969, 12, 31, 23, 0), t(2026, 2, 3)]
    at_text = ["2014-10-21 05:59:59", "", "1969-12-31 23:00:00", "2026-02-03 00:00:00"]
    small = [1, None, 0, 1]
    big = [2**63 - 1, None, -(2**63), 0]
    dec = [decimal.Decimal("12.30"), None, decimal.Decimal("-0.05"), decimal.Decimal("1234567.89")]
    dec_text = ["12.30", "", "-0.05", "1234567.89"]
    text = ["plain", None, 'quote "comma, line\nend"', "\u00e4\u20ac"]
    text_text = [v or "" for v in text]
    return {
        "bool": (pa.array([True, None, False, True]), ["1", "", "0", "1"]),
        "int8": (pa.array([-128, None, 0, 127], pa.int8()), ["-128", "", "0", "127"]),
        "uint8": (pa.array([255, None, 0, 1], pa.uint8()), ["255", "", "0", "1"]),
        "int32": (pa.array([-5, None, 0, 7], pa.int32()), ["-5", "", "0", "7"]),
        "uint32": (pa.array([2**32 - 1, None, 0, 1], pa.uint32()), [str(2**32 - 1), "", "0", "1"]),
        "int64": (pa.array(big, pa.int64()), ["" if v is None else str(v) for v in big]),
        "uint64": (pa.array([2**64 - 1, None, 0, 1], pa.uint64()), [str(2**64 - 1), "", "0", "1"]),
        "float16": (pa.array([0.5, None, -2.0, float("nan")], pa.float16()), ["0.5", "", "-2", ""]),
        "float32": (pa.array([0.1, None, 1.0, float("nan")], pa.float32()), ["0.1", "", "1", ""]),
        "float64": (pa.array([0.1, None, 1e21, -0.25]), ["0.1", "", "1e+21", "-0.25"]),
        "date32": (pa.array([d(2014, 10, 21), None, d(1969, 12, 31), d(2000, 2, 29)]), ["2014-10-21", "", "1969-12-31", "2000-02-29"]),
        "ts_ms": (pa.array(at, pa.timestamp("ms")), at_text),
        "ts_us": (pa.array(at, pa.timestamp("us", tz="UTC")), at_text),
        "ts_ns": (pa.array(at, pa.timestamp("ns")), at_text),
        "time": (pa.array([dt.time(23, 59, 58), None, dt.time(0), dt.time(1, 2, 3)], pa.time32("ms")), ["23:59:58", "", "00:00:00", "01:02:03"]),
        "dec128": (pa.array(dec, pa.decimal128(12, 2)), dec_text),
        "dec256": (pa.array(dec, pa.decimal256(40, 2)), dec_text),
        "string": (pa.array(text), text_text),
        "large": (pa.array(text, pa.large_string()), text_text),
        "binary": (pa.array([b"x", None, b"", b"yz"]), ["x", "", "", "yz"]),
        "fixed": (pa.array([b"abc", None, b"def", b"ghi"], pa.binary(3)), ["abc", "", "def", "ghi"]),
        "coded": (pa.array(["a", None, "b", "a"]).dictionary_encode(), ["a", "", "b", "a"]),
        "coded_int": (pa.array([7, None, 8, 7]).dictionary_encode(), ["7", "", "8", "7"]),
        "none": (pa.nulls(4), ["", "", "", ""]),
        "label": (pa.array(small, pa.float64()), ["1", "", "0", "1"]),
        "list": (pa.array([[1, 2], None, [], [3]]), ["", "", "", ""]),
        "struct": (pa.array([{"a": 1, "b": "x"}, None, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}]), ["", "", "", ""]),
        "last": (pa.array(["w", "x", "y", "z"]), ["w", "x", "y", "z"]),
    }


def main():
    if pa.__version__ != WANT:
        sys.exit(f"pyarrow {pa.__version__}: want {WANT}")
    OUT.mkdir(parents=True, exist_ok=True)
    t = rows(sys.argv[1])
    parquets(t)
    arrows(t)
    columns = types()
    with open(OUT / "types.csv", "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(columns)
        w.writerows(zip(*(text for _, text in columns.values())))
    table = pa.table({n: v for n, (v, _) in columns.items()})
    pq.write_table(table, OUT / "types.parquet", store_schema=False, coerce_timestamps=None)
    pq.write_table(table.drop_columns(["none"]), OUT / "types-int96.parquet", store_schema=False,
                   use_deprecated_int96_timestamps=True, use_dictionary=False, data_page_version="2.0")
    with ipc.new_stream(OUT / "types.arrows", table.schema) as w:
        w.write_table(table)
    feather.write_feather(table, OUT / "types.feather", compression="zstd")
    for f in sorted(OUT.iterdir()):
        size = f.stat().st_size
        print(f"{size:7d} {f.name}")
        if size > 20_000:
            sys.exit(f"{f}: want 20 kB at most")


main()
