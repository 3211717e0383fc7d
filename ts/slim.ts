export * from './api/runtime.ts';
export * from './api/types.ts';
