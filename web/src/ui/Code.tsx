import { useEffect, useMemo, useState } from 'react'
import { isJson, pretty, type Token } from '@/lib/json'
import { ofBrowser } from '@/lib/storage'
import { IconButton } from './Button'
import { Icon } from './Icon'

const COLOURED_CHARACTERS = 200_000

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 2000)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <IconButton label={copied ? 'Copied' : label} onPress={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}>
      <Icon name={copied ? 'check' : 'copy'} />
    </IconButton>
  )
}

// An id or an address that people carry elsewhere.
export function Copyable({ text }: { text: string }) {
  return (
    <span className="copyable">
      <code>{text}</code>
      <CopyButton text={text} label={`Copy ${text}`} />
    </span>
  )
}

export function CodeBlock({ text, label, children }: { text: string; label: string; children?: React.ReactNode }) {
  return (
    <div className="code">
      <pre tabIndex={0} aria-label={label}>
        <code>{children ?? text}</code>
      </pre>
      <CopyButton text={text} label={`Copy ${label.toLowerCase()}`} />
    </div>
  )
}

function Tokens({ list }: { list: Token[] }) {
  return list.map((token, i) =>
    token.kind === 'space' || token.kind === 'mark' ? (
      token.text
    ) : (
      <span key={i} className={`json-${token.kind}`}>
        {token.text}
      </span>
    ),
  )
}

// Foreign text, always as text; JSON with line breaks and colours unless raw.
export function Body({ text, label, raw }: { text: string; label: string; raw?: boolean }) {
  const list = useMemo(() => (!raw && text.length <= COLOURED_CHARACTERS && isJson(text) ? pretty(text) : undefined), [raw, text])
  if (text === '') return <p className="quiet">Empty</p>
  return (
    <CodeBlock text={list ? list.map(token => token.text).join('') : text} label={label}>
      {list && <Tokens list={list} />}
    </CodeBlock>
  )
}

export function Snippets({ snippets, label }: { snippets: Record<string, string>; label: string }) {
  const names = Object.keys(snippets)
  const [chosen, setChosen] = useState(() => ofBrowser.get('posthorn.language') ?? names[0]!)
  const name = names.includes(chosen) ? chosen : names[0]!
  return (
    <div className="snippets">
      <div className="segments" role="group" aria-label={`${label}: language`}>
        {names.map(one => (
          <button
            key={one}
            type="button"
            aria-pressed={one === name}
            onClick={() => {
              setChosen(one)
              ofBrowser.set('posthorn.language', one)
            }}
          >
            {one}
          </button>
        ))}
      </div>
      <CodeBlock text={snippets[name]!} label={`${label}, ${name}`} />
    </div>
  )
}
