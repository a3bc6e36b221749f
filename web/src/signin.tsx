// signin.tsx - signing in: name and password, then the one-time code where the account has one.
import { useEffect, useRef, useState } from 'preact/hooks';
import { duration } from './format';
import { Problem } from './http';
import { Languages } from './languages';
import { type State, type Step, signIn, signInCode } from './session';
import { type Text, explain, useText } from './text';

type Why = Extract<State, { at: 'out' }>['why'];

function inWords(e: unknown, step: 'password' | 'code', t: Text): string {
	if (!(e instanceof Problem)) return explain(e);
	if (e.status === 429) return t.signIn.lockedOut(duration(e.retryAfter || 60, t));
	if (e.type === 'invalid_grant') return step === 'code' ? t.signIn.wrongCode : t.signIn.wrong;
	return explain(e);
}

export function SignIn({ why }: { why: Why }) {
	const t = useText();
	const [step, setStep] = useState<'password' | 'code'>('password');
	const [error, setError] = useState<{ text: string; field: string }>({ text: '', field: '' });
	const [busy, setBusy] = useState(false), [shown, setShown] = useState(false);
	const user = useRef<HTMLInputElement>(null), password = useRef<HTMLInputElement>(null), code = useRef<HTMLInputElement>(null);
	const able = typeof crypto !== 'undefined' && !!crypto.subtle;

	useEffect(() => (step === 'code' ? code : user).current?.focus(), [step]);
	useEffect(() => void (document.title = t.signIn.title), [t]);

	const fail = (text: string, field: HTMLInputElement | null): void => {
		setError({ text, field: field?.id ?? '' });
		field?.focus();
	};
	const attempt = async (work: () => Promise<Step>, field: HTMLInputElement): Promise<void> => {
		setBusy(true);
		setError({ text: '', field: '' });
		try {
			if ((await work()) === 'code') setStep('code');
		} catch (e) {
			fail(inWords(e, step, t), field);
			field.select();
		} finally {
			setBusy(false);
		}
	};
	const submit = (e: Event): void => {
		e.preventDefault();
		if (busy) return;
		if (step === 'code') {
			const value = code.current!.value.trim();
			return value ? void attempt(() => signInCode(value), code.current!) : fail(t.signIn.needCode, code.current);
		}
		const name = user.current!.value.trim(), secret = password.current!.value;
		if (!name) return fail(t.signIn.needUser, user.current);
		if (!secret) return fail(t.signIn.needPassword, password.current);
		void attempt(() => signIn(name, secret), password.current!);
	};
	const field = (id: string) => ({ id, 'aria-invalid': error.field === id, 'aria-describedby': 'sign-error' });

	return (
		<div class="signin">
			<main>
				<form onSubmit={submit} noValidate>
					<h1>{step === 'code' ? t.signIn.codeTitle : t.signIn.title}</h1>
					{why && step === 'password' && <p role="status">{t.signIn[why]}</p>}
					{step === 'code' ? (
						<>
							<p id="code-hint">{t.signIn.codeHint}</p>
							<label for="code">{t.signIn.code}</label>
							<input {...field('code')} key="code" ref={code} name="code" class="code" inputMode="numeric" autocomplete="one-time-code"
								maxLength={12} spellcheck={false} aria-describedby="code-hint sign-error" />
						</>
					) : (
						<>
							<label for="user">{t.signIn.user}</label>
							<input {...field('user')} key="user" ref={user} name="username" autocomplete="username" autocapitalize="none" spellcheck={false} />
							<label for="password">{t.signIn.password}</label>
							<input {...field('password')} key="password" ref={password} name="password" type={shown ? 'text' : 'password'}
								autocomplete="current-password" autocapitalize="none" spellcheck={false} />
							<label class="inline">
								<input type="checkbox" checked={shown} onChange={(e) => setShown(e.currentTarget.checked)} /> {t.signIn.show}
							</label>
						</>
					)}
					<p class="error" id="sign-error" role="alert">{able ? error.text : t.signIn.noCrypto}</p>
					<button type="submit" class="primary" aria-disabled={busy || !able}>
						{busy ? t.signIn.working : step === 'code' ? t.signIn.codeSubmit : t.signIn.submit}
					</button>
					{step === 'code' && (
						<button type="button" class="link" onClick={() => {
							setError({ text: '', field: '' });
							setStep('password');
						}}>{t.signIn.back}</button>
					)}
				</form>
			</main>
			<footer><Languages /></footer>
		</div>
	);
}
