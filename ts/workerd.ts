export * from './api/workerd.ts';
export * from './api/types.ts';
