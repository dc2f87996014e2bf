export function bytes(count: number) {
  if (count < 1000) return `${count} B`
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(1)} MB`
}

export function byteLength(text: string) {
  return new TextEncoder().encode(text).length
}

export function count(value: number) {
  return value.toLocaleString('en-US').replaceAll(',', ' ')
}
