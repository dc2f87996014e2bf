// Writes build/web/files.c and files.bin from what vite has built: every file with its type, tag and compressed forms, sorted by path.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const FIRST_SCREEN_BYTES = 150_000 // of script, gzipped

const out = fileURLToPath(new URL('../build/web/', import.meta.url))
const dist = out + 'dist/'

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  woff2: 'font/woff2',
}

const names = (readdirSync(dist, { recursive: true }) as string[]).filter(name => /\.\w+$/.test(name) && name !== 'manifest.json')

const files = names.map(name => {
  const extension = name.slice(name.lastIndexOf('.') + 1)
  const type = TYPES[extension]
  if (!type) throw new Error(`${name}: add its type to web/pack.ts`)
  const isPage = extension === 'html'
  const plain = readFileSync(dist + name)
  return {
    name,
    path: '/' + (isPage ? name.slice(0, -5) : name),
    type,
    isPage,
    tag: createHash('sha256').update(plain).digest('base64url').slice(0, 22),
    forms: [plain, smaller(gzipSync(plain, { level: 9 }), plain), smaller(brotli(plain), plain)],
  }
})
files.sort((a, b) => (a.path < b.path ? -1 : 1))

function brotli(plain: Buffer) {
  const quality = plain.length > 500_000 ? 9 : 11
  return brotliCompressSync(plain, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
  })
}

function smaller(packed: Buffer, plain: Buffer) {
  return packed.length < plain.length * 0.95 ? packed : undefined
}

interface Chunk {
  file: string
  imports?: string[]
  isEntry?: boolean
}

// What a page loads before it shows something: its script, what that imports, and the page of the dashboard that opens first.
function checkFirstScreen(entry: string, pages: string[]) {
  const manifest = JSON.parse(readFileSync(dist + 'manifest.json', 'utf8')) as Record<string, Chunk>
  const seen = new Set<string>()
  const visit = (key: string) => {
    const chunk = manifest[key]
    if (!chunk) throw new Error(`${key} is not in the manifest`)
    if (seen.has(chunk.file)) return
    seen.add(chunk.file)
    chunk.imports?.forEach(visit)
  }
  for (const key of [entry, ...pages]) visit(key)
  const bytes = files.filter(file => seen.has(file.name)).reduce((sum, file) => sum + (file.forms[1] ?? file.forms[0]!).length, 0)
  console.log(`  first screen: ${(bytes / 1000).toFixed(1)} kB of script, gzipped`)
  if (bytes > FIRST_SCREEN_BYTES) throw new Error(`more than ${FIRST_SCREEN_BYTES / 1000} kB`)
}

checkFirstScreen('dashboard.html', ['src/features/overview/Overview.tsx'])

const parts: Buffer[] = []
let at = 0
const place = (form: Buffer | undefined) => {
  if (!form) return '{NULL, 0}'
  parts.push(form)
  at += form.length
  return `{bytes + ${at - form.length}, ${form.length}}`
}
const rows = files.map(
  file => `    {"${file.path}", "${file.type}", "W/\\"${file.tag}\\"", ${file.isPage}, ${file.forms.map(place).join(', ')}},\n`,
)
writeFileSync(out + 'files.bin', Buffer.concat(parts))
writeFileSync(
  out + 'files.c',
  `/* Made by web/pack.ts. */
#include "posthorn/web.h"

__asm__(".section .rodata\\n"
        "ph_web_bytes: .incbin \\"build/web/files.bin\\"\\n"
        ".text\\n");
extern const char bytes[] __asm__("ph_web_bytes");

const struct ph_web_file ph_web_files[] = {
${rows.join('')}};

const size_t ph_web_files_count = sizeof ph_web_files / sizeof ph_web_files[0];
`,
)
