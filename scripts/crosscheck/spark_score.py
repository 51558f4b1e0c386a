"""Scores rows with a PipelineModel that ctr export wrote.

    spark_score.py --rows rows.csv --out DIR MODEL…

For each folder MODEL it writes DIR/NAME.csv: id,probability,prediction. All
columns of the rows are read as text, as ctr does.
"""

import argparse
from pathlib import Path

from pyspark.ml import PipelineModel

from spark_models import scores, session


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("models", nargs="+", type=Path)
    args = parser.parse_args()
    spark = session()
    rows = spark.read.csv(str(args.rows), header=True).cache()
    for path in args.models:
        scores(PipelineModel.load(str(path)), rows, args.out / f"{path.name}.csv")
        print(path.name, flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
