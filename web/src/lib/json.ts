// JSON as text: numbers keep their digits and members their order, which parsing would not promise.

export type Token = { kind: 'key' | 'string' | 'number' | 'word' | 'mark' | 'space'; text: string }

const TOKEN = /("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null)|([{}[\],:])|(\s+)|(.)/gs

export function tokens(text: string): Token[] {
  const found: Token[] = []
  for (const [part, string, number, word, mark, space] of text.matchAll(TOKEN)) {
    if (string !== undefined) found.push({ kind: 'string', text: part })
    else if (number !== undefined) found.push({ kind: 'number', text: part })
    else if (word !== undefined) found.push({ kind: 'word', text: part })
    else if (mark !== undefined) {
      const before = found.findLast(token => token.kind !== 'space')
      if (part === ':' && before?.kind === 'string') before.kind = 'key'
      found.push({ kind: 'mark', text: part })
    } else found.push({ kind: space !== undefined ? 'space' : 'mark', text: part })
  }
  return found
}

// The same with line breaks and indents, two spaces a level.
export function pretty(text: string): Token[] {
  const out: Token[] = []
  const list = tokens(text).filter(token => token.kind !== 'space')
  let depth = 0
  const line = () => out.push({ kind: 'space', text: '\n' + '  '.repeat(depth) })
  list.forEach((token, i) => {
    const next = list[i + 1]
    const closes = token.text === '}' || token.text === ']'
    const isMark = token.kind === 'mark'
    if (isMark && closes && !'{['.includes(list[i - 1]?.text ?? '')) {
      depth = Math.max(0, depth - 1)
      line()
    } else if (isMark && closes) depth = Math.max(0, depth - 1)
    out.push(token)
    if (!isMark) return
    if (token.text === '{' || token.text === '[') {
      depth++
      if (next && next.text !== '}' && next.text !== ']') line()
    } else if (token.text === ',') line()
    else if (token.text === ':') out.push({ kind: 'space', text: ' ' })
  })
  return out
}

export function isJson(text: string) {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
