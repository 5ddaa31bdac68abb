/* ---
table: run.fits
grain: role
says: "What this run did to the models: whether each was fitted anew or taken over, and how far it moved since the run before. What the models are is in models.fits."
filled_by: pipeline/value.py
reads: [models.fits]
columns:
  role: {type: text, says: "what the model tells: when customers buy (orders), or what they spend (spend)"}
  is_reused: {type: boolean, says: "whether the fit of the run before was taken over, because neither data nor settings had changed"}
  drift: {type: double, nullable: true, says: "largest change of a parameter since the run before, in standard errors; null where there is nothing to compare with"}
  drift_says: {type: text, nullable: true, says: "the same in a sentence, or why the run before could not be compared with"}
  file: {type: text, nullable: true, says: "the fitted model beside the snapshot, for ev.load_model"}
--- */
