/** Builds the page: dashboards/app → dashboards/dist. Plain files with hashed names; nothing inline, so the strict CSP holds. */
import { defineConfig } from 'vite'

export default defineConfig({
  root: `${import.meta.dirname}/app`,
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2024',
    cssTarget: 'esnext', // light-dark() stays as it is written
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
})
