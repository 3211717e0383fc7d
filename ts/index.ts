export * from './api/default.ts';
export * from './api/types.ts';
