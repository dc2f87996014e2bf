import { KeySignIn } from './KeySignIn'

export function SignIn() {
  return (
    <KeySignIn title="Sign in" label="API key" unknown="This API key is not known here.">
      <p className="quiet">
        No key yet? Whoever runs this server makes one with <code>posthorn key create</code>. <a href="/docs">API documentation</a>
      </p>
    </KeySignIn>
  )
}
