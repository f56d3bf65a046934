package agent;

import java.lang.instrument.Instrumentation;

/** Is told of every class, and leaves a mark. */
public final class Agent {
    private Agent() {}

    public static void premain(String argument, Instrumentation instrumentation) {
        System.setProperty("agent", argument + " " + (instrumentation.getAllLoadedClasses().length > 0));
    }
}
