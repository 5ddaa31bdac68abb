/* ---
table: raw.loads
grain: run_id
says: "Every load: what is read in it is known from its instant on."
filled_by: sources
columns:
  run_id: {type: text, says: "run, or batch of changes, that read"}
  known_at: {type: timestamp, says: "when, UTC"}
  kind: {type: text, check: "in ('run', 'watch', 'replay')", says: "run: a whole run; watch: changes followed between runs; replay: rows mended by hand"}
  built: {type: boolean, nullable: true, says: "whether a run was published from what was loaded so far"}
--- */
