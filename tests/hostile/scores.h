// What every plugin of these tests answers: scores of a binary classification, in Arrow's C Data Interface, and errors. A plugin that breaks
// the contract changes what was made here.

static void release_schema(struct ArrowSchema *schema) {
  free(schema->children[0]);
  free(schema->children);
  schema->release = NULL;
}

static void release_child_schema(struct ArrowSchema *schema) { schema->release = NULL; }

// Writes the type of the predictions.
static void state_scores(struct ArrowSchema *schema) {
  struct ArrowSchema *child = calloc(1, sizeof *child);
  child->format = "f";
  child->name = "score";
  child->release = release_child_schema;
  memset(schema, 0, sizeof *schema);
  schema->format = "+s";
  schema->name = "";
  schema->n_children = 1;
  schema->children = calloc(1, sizeof *schema->children);
  schema->children[0] = child;
  schema->release = release_schema;
}

static void release_array(struct ArrowArray *array) {
  struct ArrowArray *scores = array->children[0];
  free((void *)scores->buffers[1]);
  free(scores->buffers);
  free(scores);
  free(array->children);
  free(array->buffers);
  array->release = NULL;
}

static void release_child_array(struct ArrowArray *array) { array->release = NULL; }

// Writes the predictions; `scores` were allocated, and are freed with them.
static void answer_scores(struct ArrowArray *predictions, float *scores, int64_t rows) {
  struct ArrowArray *child = calloc(1, sizeof *child);
  child->length = rows;
  child->n_buffers = 2;
  child->buffers = calloc(2, sizeof *child->buffers);
  child->buffers[1] = scores;
  child->release = release_child_array;
  memset(predictions, 0, sizeof *predictions);
  predictions->length = rows;
  predictions->n_buffers = 1;
  predictions->buffers = calloc(1, sizeof *predictions->buffers);
  predictions->n_children = 1;
  predictions->children = calloc(1, sizeof *predictions->children);
  predictions->children[0] = child;
  predictions->release = release_array;
}

static int32_t fail(ForetellError *error, const char *words) {
  error->length = strlen(words);
  if (error->length > sizeof error->message) error->length = sizeof error->message;
  memcpy(error->message, words, error->length);
  return FORETELL_STATUS_FAILED;
}
