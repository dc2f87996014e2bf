import { useState, type ReactNode } from 'react'
import { tryKey } from '@/api/client'
import { credential } from '@/api/credential'
import { ApiError, messageOf } from '@/api/error'
import { TextField } from '@/ui/Field'
import { EntryForm } from './EntryForm'

interface KeySignInProps {
  title: string
  label: string
  unknown: string // said of a key that is none
  children: ReactNode // below the button
}

// With something secret that is no password: it stays in the tab.
export function KeySignIn({ title, label, unknown, children }: KeySignInProps) {
  const [key, setKey] = useState('')
  return (
    <EntryForm
      title={title}
      reason={credential.reason()}
      action="Sign in"
      disabled={key.trim() === ''}
      run={async () => {
        await tryKey(key.trim())
        credential.accept(key.trim())
      }}
      explain={cause => (cause instanceof ApiError && cause.status === 401 ? unknown : messageOf(cause))}
      below={children}
    >
      <TextField
        label={label}
        type="password"
        autoComplete="current-password"
        autoFocus
        value={key}
        onChange={setKey}
        hint="It stays in this tab and is forgotten when you close it."
        mono
      />
    </EntryForm>
  )
}
