/** The entry `gru-wasm/formats/safetensors`: tensors from files and to files. */
export {
  parseSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type SafetensorsTensor,
  type TensorToWrite,
  writeSafetensors,
} from '../io/safetensors.ts';
