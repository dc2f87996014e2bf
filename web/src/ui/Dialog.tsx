import { useState, type FormEvent, type ReactNode } from 'react'
import { Dialog as AriaDialog } from 'react-aria-components/Dialog'
import { Heading } from 'react-aria-components/Heading'
import { Modal, ModalOverlay } from 'react-aria-components/Modal'
import { messageOf } from '@/api/error'
import { Button } from './Button'
import { TextField } from './Field'
import { Note } from './State'

interface DialogProps {
  title: string
  onClose: () => void
  children: ReactNode
  wide?: boolean
}

export function Dialog({ title, onClose, children, wide }: DialogProps) {
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={open => !open && onClose()} className="overlay">
      <Modal className={wide ? 'modal wide' : 'modal'}>
        <AriaDialog className="dialog">
          <Heading slot="title" className="dialog-title">
            {title}
          </Heading>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  )
}

interface ActionDialogProps {
  title: string
  action: string // on the button
  danger?: boolean
  run: () => Promise<void> // ends the dialog when it succeeds; its error is shown
  onClose: () => void
  children?: ReactNode
  typeToConfirm?: string // the person has to type this
  disabled?: boolean
}

// Says what will happen and does it.
export function ActionDialog({ title, action, danger, run, onClose, children, typeToConfirm, disabled }: ActionDialogProps) {
  const [typed, setTyped] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const blocked = disabled || (typeToConfirm !== undefined && typed !== typeToConfirm)

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (blocked || busy) return
    setBusy(true)
    setError(undefined)
    try {
      await run()
      onClose()
    } catch (reason) {
      setError(reason)
      setBusy(false)
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        {children}
        {typeToConfirm !== undefined && (
          <TextField autoFocus label={`Type ${typeToConfirm} to confirm`} value={typed} onChange={setTyped} autoComplete="off" mono />
        )}
        {error !== undefined && <Note tone="bad">{messageOf(error)}</Note>}
        <div className="dialog-actions">
          <Button onPress={onClose}>{danger ? 'Keep as it is' : 'Cancel'}</Button>
          <Button type="submit" look={danger ? 'danger' : 'primary'} isDisabled={blocked || busy}>
            {busy ? 'One moment…' : action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
