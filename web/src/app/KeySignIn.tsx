import { useState, type FormEvent, type ReactNode } from 'react'
import { tryKey } from '@/api/client'
import { credential } from '@/api/credential'
import { ApiError, messageOf } from '@/api/error'
import { Button } from '@/ui/Button'
import { TextField } from '@/ui/Field'
import { Logo } from '@/ui/Logo'
import { Note } from '@/ui/State'

interface KeySignInProps {
  title: string
  label: string
  unknown: string // said of a key that is none
  children: ReactNode // below the button
}

// With something secret that is no password: it stays in the tab.
export function KeySignIn({ title, label, unknown, children }: KeySignInProps) {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string>()
  const reason = credential.reason()

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setError(undefined)
    try {
      await tryKey(key.trim())
      credential.accept(key.trim())
    } catch (cause) {
      setError(cause instanceof ApiError && cause.status === 401 ? unknown : messageOf(cause))
      setBusy(false)
    }
  }

  return (
    <main className="sign-in">
      <form onSubmit={submit} className="stack">
        <Logo />
        <h1>{title}</h1>
        {reason && <Note tone="warn">{reason}</Note>}
        <TextField
          label={label}
          type="password"
          autoComplete="current-password"
          autoFocus
          value={key}
          onChange={setKey}
          error={error}
          hint="It stays in this tab and is forgotten when you close it."
          mono
        />
        <Button type="submit" look="primary" isDisabled={busy || key.trim() === ''}>
          {busy ? 'One moment…' : 'Sign in'}
        </Button>
        {children}
      </form>
    </main>
  )
}
