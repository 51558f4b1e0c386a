package boosters

import "ctr/models/interchange"

func LightGBM() interchange.Importer { return interchange.Importer{Name: "lightgbm"} }
func XGBoost() interchange.Importer  { return interchange.Importer{Name: "xgboost"} }
