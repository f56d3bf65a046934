package rushlight;

import com.amazonaws.services.lambda.runtime.Context;

/** The function's own code, made callable with bytes. */
interface Handler {
    byte[] handle(Invocation invocation, Context context) throws Throwable;
}
