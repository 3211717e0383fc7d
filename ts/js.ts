export * from './api/js.ts';
export * from './api/types.ts';
