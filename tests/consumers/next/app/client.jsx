'use client';

import * as gru from 'gru-wasm';
import { useEffect } from 'react';
import { report } from '../../model.mjs';

export default function Client() {
  useEffect(() => {
    report('client', gru).then(console.log);
  }, []);
  return null;
}
