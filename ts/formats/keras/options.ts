/** Options for files of Keras. */
export interface KerasOptions {
  /** The model's config, where the file holds weights only: what `model.to_json()` returns, parsed or not. */
  config?: string | object;
}
