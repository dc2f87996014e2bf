import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('.'),
  plugins: [react()],
  resolve: { alias: { '@': here('src') } },
  test: { include: ['src/**/*.test.ts'] },
  server: { proxy: { '/api': process.env.POSTHORN_URL ?? 'http://127.0.0.1:8071' } },
  build: {
    outDir: here('../build/web/dist'),
    emptyOutDir: true,
    manifest: 'manifest.json',
    target: 'es2022',
    // Everything is a file of ours: the policy of the pages allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: { dashboard: here('dashboard.html'), docs: here('docs.html') },
    },
  },
})
