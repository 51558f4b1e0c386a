package commands

// schemaExample is a schema file that ctr help schema shows.
const schemaExample = `name: shop
delimiter: ","               # or tab
columns:
  - id: request_id           # copied to the predictions
  - label: bought            # 0 or 1
  - time: hour               # 14102100 or 2014-10-21 00:00:00, UTC
  - category: [site, device] # one name or several
  - number: [price, age]     # may be empty
  - ignore: note             # read past
layouts:                     # orders of columns of files without a header
  - [request_id, bought, hour, site, device, price, age, note]
`

// schemaHelp is what "ctr help schema" shows.
const schemaHelp = `Schemas

A schema says what the columns are. Those of Avazu and Criteo are known and
found from the data. For any other table, give a YAML file:

  ctr train rows.csv --schema shop.yaml

` + schemaExample + `
Only columns are needed, the label among them. The model file has the schema:
evaluate and score need no --schema.
`
