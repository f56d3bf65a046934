package rushlight;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Finds what a handler's name means: {@code package.Class} or {@code package.Class::method}. */
final class Handlers {
    private Handlers() {}

    /** Faults that only show when the function is called are the handler's, as on AWS. */
    static Handler find(String name, ClassLoader classes) throws Fault {
        String handler = String.valueOf(name);
        int colons = handler.lastIndexOf("::");
        String wanted = colons < 0 ? handler : handler.substring(0, colons);
        String method = colons < 0 ? null : handler.substring(colons + 2);
        if (wanted.isEmpty() || "".equals(method)) {
            return failing(Fault.message("Invalid handler: `" + handler + "'"));
        }
        Class<?> found;
        try {
            found = Class.forName(wanted, true, classes);
        } catch (ClassNotFoundException missing) {
            return failing(Fault.of("Class not found: " + wanted, missing));
        } catch (Throwable thrown) {
            throw loading(wanted, thrown);
        }
        if (method != null) {
            return ofMethod(found, method);
        }
        if (RequestStreamHandler.class.isAssignableFrom(found)) {
            RequestStreamHandler instance = (RequestStreamHandler) instance(found);
            return (invocation, context) -> {
                ByteArrayOutputStream output = new ByteArrayOutputStream();
                instance.handleRequest(new ByteArrayInputStream(invocation.event()), output, context);
                return output.toByteArray();
            };
        }
        if (RequestHandler.class.isAssignableFrom(found)) {
            return ofRequestHandler(found);
        }
        return failing(Fault.message("Class " + wanted + " does not implement an appropriate handler interface"));
    }

    private static Handler failing(Fault fault) {
        return (invocation, context) -> {
            throw fault;
        };
    }

    private static Fault loading(String name, Throwable thrown) {
        String message = thrown.getMessage();
        return Fault.of("Error loading class " + name + (message == null ? "" : ": " + message), thrown);
    }

    private static Object instance(Class<?> of) throws Fault {
        try {
            return of.getConstructor().newInstance();
        } catch (NoSuchMethodException missing) {
            throw Fault.of("Class " + of.getName() + " has no public zero-argument constructor", missing);
        } catch (InvocationTargetException thrown) {
            throw loading(of.getName(), thrown.getCause());
        } catch (Throwable thrown) {
            throw loading(of.getName(), thrown);
        }
    }

    @SuppressWarnings("unchecked")
    private static Handler ofRequestHandler(Class<?> found) throws Fault {
        Type[] types = typesOfRequestHandler(found, new HashMap<>());
        RequestHandler<Object, Object> instance = (RequestHandler<Object, Object>) instance(found);
        return (invocation, context) ->
            Beans.write(instance.handleRequest(Beans.read(invocation.event(), types[0]), context));
    }

    /** What stands for I and O, wherever among the supertypes that is said. */
    private static Type[] typesOfRequestHandler(Type type, Map<TypeVariable<?>, Type> known) {
        Class<?> raw = type instanceof ParameterizedType
            ? (Class<?>) ((ParameterizedType) type).getRawType() : (Class<?>) type;
        if (type instanceof ParameterizedType) {
            Type[] given = ((ParameterizedType) type).getActualTypeArguments();
            for (int i = 0; i < given.length; i++) {
                known.put(raw.getTypeParameters()[i], known.getOrDefault(given[i], given[i]));
            }
        }
        if (raw == RequestHandler.class) {
            TypeVariable<?>[] wanted = raw.getTypeParameters();
            return new Type[] {known.getOrDefault(wanted[0], Object.class), known.getOrDefault(wanted[1], Object.class)};
        }
        List<Type> above = new ArrayList<>();
        if (raw.getGenericSuperclass() != null) {
            above.add(raw.getGenericSuperclass());
        }
        for (Type each : raw.getGenericInterfaces()) {
            above.add(each);
        }
        for (Type each : above) {
            Class<?> of = each instanceof ParameterizedType
                ? (Class<?>) ((ParameterizedType) each).getRawType() : (Class<?>) each;
            if (RequestHandler.class.isAssignableFrom(of)) {
                return typesOfRequestHandler(each, known);
            }
        }
        return new Type[] {Object.class, Object.class};
    }

    /** Of several methods of that name the one with the most parameters is taken, and of those one with a context. */
    private static Handler ofMethod(Class<?> found, String name) throws Fault {
        Method best = null;
        for (Method method : found.getMethods()) {
            if (method.getName().equals(name) && !method.isBridge() && serves(method)
                && (best == null || rank(method) > rank(best))) {
                best = method;
            }
        }
        if (best == null) {
            return failing(Fault.message("No public method named " + name
                + " with appropriate method signature found on class " + found.getName()));
        }
        Object instance = Modifier.isStatic(best.getModifiers()) ? null : instance(found);
        best.setAccessible(true);
        return calling(best, instance);
    }

    private static int rank(Method method) {
        return method.getParameterCount() * 2 + (takesContext(method) ? 1 : 0);
    }

    private static boolean takesContext(Method method) {
        Class<?>[] types = method.getParameterTypes();
        return types.length > 0 && types[types.length - 1] == Context.class;
    }

    private static boolean streams(Method method) {
        Class<?>[] types = method.getParameterTypes();
        return types.length >= 2 && types[0] == InputStream.class && types[1] == OutputStream.class;
    }

    private static boolean serves(Method method) {
        int own = method.getParameterCount() - (takesContext(method) ? 1 : 0);
        return own <= 1 || own == 2 && streams(method);
    }

    private static Handler calling(Method method, Object instance) {
        boolean takesContext = takesContext(method);
        int own = method.getParameterCount() - (takesContext ? 1 : 0);
        return (invocation, context) -> {
            List<Object> arguments = new ArrayList<>();
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            if (streams(method)) {
                arguments.add(new ByteArrayInputStream(invocation.event()));
                arguments.add(output);
            } else if (own == 1) {
                Type type = method.getGenericParameterTypes()[0];
                arguments.add(type == InputStream.class
                    ? new ByteArrayInputStream(invocation.event()) : Beans.read(invocation.event(), type));
            }
            if (takesContext) {
                arguments.add(context);
            }
            try {
                Object result = method.invoke(instance, arguments.toArray());
                if (streams(method)) {
                    return output.toByteArray();
                }
                return method.getReturnType() == void.class ? new byte[0] : Beans.write(result);
            } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
            }
        };
    }
}
