export * from './api/static.ts';
export * from './api/types.ts';
export type { ModelFormat } from './formats/format.ts';
