import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import 'uplot/dist/uPlot.min.css';
import './style.css';

export default {
  extends: DefaultTheme,
  enhanceApp() {
    // Kept for when there is no network. `__base__` is the folder of the site: see relocate.mjs.
    if (!import.meta.env.SSR && import.meta.env.PROD && 'serviceWorker' in navigator) {
      addEventListener(
        'load',
        () => void navigator.serviceWorker.register(`${import.meta.env.BASE_URL}sw.js`).catch(() => undefined),
      );
    }
  },
} satisfies Theme;
